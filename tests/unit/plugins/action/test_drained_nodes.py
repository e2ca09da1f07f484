# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The playbook site on stub hosts whose jobs a stub of Slurm has: drained, waited for, resumed."""

import copy
import json

import pytest
from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import (
    observations,
    run_with_summary,
    write_stub,
)
from ansible_collections.hpc.msr_safe.tests.unit.plugins.stub_scontrol import StubSlurm

OURS = 'hpc.msr_safe: approve: activate al_0655'

# In the place of Python: each execution on a node answers with the next file
STUB = """\
#!/bin/sh
cat >/dev/null
echo x >>{0}.runs
next={0}.$(wc -l <{0}.runs)
if [ -e $next ]; then exec cat $next; fi
exec cat {0}.json
"""


class Site:
    """Nodes that Slurm has, and a run of the playbook on them."""

    def __init__(self, directory):
        self.directory, self.slurm = directory, StubSlurm(directory / 'bin')
        _fresh, self.converged = observations()
        self.outdated = copy.deepcopy(self.converged)
        self.outdated['approved_list'].update(sha256='another', registers=5)
        self.nodes = []

    def node(self, name, *answers):
        """Have a node that answers so, execution by execution; then it is as wanted."""
        script = write_stub(self.directory, name, {'msr_safe': self.converged})
        script.write_text(STUB.format(self.directory / name))
        for number, answer in enumerate(answers, 1):
            (self.directory / ('%s.%d' % (name, number))).write_text(json.dumps(answer) + '\n')
        self.nodes.append(
            '%s ansible_connection=local ansible_become=false ansible_python_interpreter=%s' % (name, script)
        )

    def to_be_changed(self, name, done=None):
        """Have a node whose list is to be replaced: it is observed twice, then changed."""
        done = done or {'changed': True, 'done': ['approve: activate al_0655'], 'observed': self.converged}
        self.node(name, {'msr_safe': self.outdated}, {'msr_safe': self.outdated}, done)

    def to_be_deferred(self, name):
        self.node(name, {'msr_safe': self.outdated}, {'msr_safe': self.outdated})

    def runs(self, name):
        path = self.directory / (name + '.runs')
        return len(path.read_text().splitlines()) if path.exists() else 0

    def run(self, *arguments, **variables):
        """Run the playbook; return (summary, output, exit code)."""
        (self.directory / 'hosts').write_text('\n'.join(self.nodes) + '\n')
        variables = dict(
            {
                'msr_safe_drain': True,
                'msr_safe_drain_host': 'localhost',
                'msr_safe_drain_become': False,
                'msr_safe_drain_bindir': str(self.slurm.directory),
                'msr_safe_drain_interval': 0.01,
                'msr_safe_serial': '100%',
            },
            **variables,
        )
        summary, process = run_with_summary(
            self.directory,
            *('hpc.msr_safe.site', '-e', json.dumps(variables), *arguments),
            ANSIBLE_LOCALHOST_WARNING='false',
        )
        return summary, process.stdout, process.returncode


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def orders(site, node):
    return [line.partition('state=')[2].partition(' ')[0] for line in site.slurm.orders if 'nodename=' + node in line]


def test_nodes_are_drained_changed_and_resumed(site):
    for name in ('n1', 'n2'):
        site.to_be_changed(name)
        site.slurm.node(name, 'MIXED', jobs=['41', '42'])
    summary, output, code = site.run()
    assert code == 0, output
    assert summary['outcomes']['changed']['nodes'] == ['n1', 'n2']
    for name in ('n1', 'n2'):
        assert orders(site, name) == ['drain', 'resume']
        assert site.slurm.state(name) == ('IDLE', '')
        assert site.runs(name) == 3


@pytest.mark.parametrize('nothing', [None, ''])
def test_variables_without_a_value_have_their_defaults(site, nothing):
    site.to_be_changed('n1')
    site.slurm.node('n1', 'MIXED', jobs=['42'])
    empty = {'msr_safe_drain_' + name: nothing for name in ('timeout', 'interval', 'node')}
    summary, output, code = site.run(**empty)
    assert code == 0, output
    assert 'wait up to 3600 s' in output
    assert summary['outcomes']['changed']['nodes'] == ['n1']
    assert orders(site, 'n1') == ['drain', 'resume']


def test_all_of_a_wave_are_drained_before_the_first_is_waited_for(site):
    for name in ('n1', 'n2', 'n3'):
        site.to_be_changed(name)
        site.slurm.node(name, 'MIXED', jobs=['42'])
    site.run('--forks', '1')
    drained = [number for number, line in enumerate(site.slurm.asked) if 'state=drain' in line]
    resumed = [number for number, line in enumerate(site.slurm.asked) if 'state=resume' in line]
    assert (len(drained), len(resumed)) == (3, 3)
    assert max(drained) < min(resumed)


def test_what_is_as_wanted_is_not_drained(site):
    site.node('n1')
    site.slurm.node('n1', 'MIXED', jobs=['42'])
    summary, output, code = site.run()
    assert code == 0, output
    assert summary['outcomes']['as wanted']['nodes'] == ['n1']
    assert site.slurm.orders == []


def test_what_is_not_drained_in_time_is_deferred_and_given_back(site):
    site.to_be_deferred('n1')
    site.slurm.node('n1', 'MIXED', jobs=['42'], stays=True)
    summary, output, code = site.run(msr_safe_drain_timeout=0)
    assert code == 0, output
    assert summary['outcomes']['deferred']['nodes'] == ['n1']
    (reason,) = summary['reasons']
    assert (reason['stage'], reason['reason']) == (
        'approve',
        'activate al_0655: not drained in time: a job is on the node',
    )
    assert site.slurm.state('n1') == ('MIXED', '')


def test_a_node_on_which_something_fails_stays_drained_and_the_next_run_resumes_it(site):
    site.to_be_changed('n1', done={'failed': True, 'msg': 'Stage approve: the disk is full', 'done': []})
    site.to_be_changed('n2')
    for name in ('n1', 'n2'):
        site.slurm.node(name)
    summary, output, code = site.run()
    assert code != 0
    assert summary['outcomes']['failed']['nodes'] == ['n1']
    assert site.slurm.state('n1') == ('IDLE+DRAIN', OURS)
    assert site.slurm.state('n2') == ('IDLE', '')
    summary, output, code = site.run()
    assert code == 0, output
    assert site.slurm.state('n1') == ('IDLE', '')


def test_a_wave_that_ends_the_run_leaves_no_sound_node_drained(site):
    """Of three nodes two fail, which is more than half: the third was drained, too."""
    for name in ('n1', 'n2'):
        site.to_be_changed(name, done={'failed': True, 'msg': 'broken', 'done': []})
    site.to_be_changed('n3')
    for name in ('n1', 'n2', 'n3'):
        site.slurm.node(name)
    _summary, output, code = site.run()
    assert code != 0
    assert site.slurm.state('n3') == ('IDLE', ''), output
    assert site.slurm.state('n1') == ('IDLE+DRAIN', OURS)


def test_limit_drains_no_other_node(site):
    for name in ('n1', 'n2'):
        site.to_be_changed(name)
        site.slurm.node(name)
    site.run('--limit', 'n2')
    assert orders(site, 'n1') == []
    assert orders(site, 'n2') == ['drain', 'resume']


def test_check_mode_says_what_it_would_drain(site):
    site.node('n1', {'msr_safe': site.outdated})
    site.slurm.node('n1', 'MIXED', jobs=['42'])
    _summary, output, code = site.run('--check')
    assert code == 0, output
    assert 'drain n1 in Slurm, and wait up to 3600 s, as job 42 is on the node (approve: activate al_0655)' in output
    assert site.slurm.orders == []
    assert site.runs('n1') == 1


def test_slurm_that_is_away_defers(site):
    site.to_be_deferred('n1')
    site.slurm.node('n1')
    site.slurm.put('away')
    summary, output, code = site.run()
    assert code == 0, output
    assert 'Slurm does not answer' in summary['reasons'][0]['reason']
    assert summary['outcomes']['deferred']['nodes'] == ['n1']


def test_a_node_that_slurm_does_not_know_is_an_error_that_changed_nothing(site):
    site.to_be_changed('n1')
    summary, _output, code = site.run()
    assert code != 0
    assert 'Slurm knows no node n1' in summary['reasons'][0]['reason']
    assert summary['reasons'][0]['stage'] == 'drain'
    assert site.runs('n1') == 1
