# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The playbook site on stub hosts: in waves, and what is said in the end."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.change import defer_for_jobs, deferrals
from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import (
    observations,
    run_with_summary,
    write_stub,
)

NODES = ['n%02d' % number for number in range(1, 21)]


@pytest.fixture
def site(tmp_path):
    """A function that runs a playbook on twenty stub nodes; it returns (the order of executions, summary or None)."""
    _fresh, converged = observations()

    def run(*bad, playbook='site', arguments=(), **others):
        (tmp_path / 'order').write_text('')
        lines = []
        for name in NODES:
            answer = {'failed': True, 'msg': 'broken'} if name in bad else dict({'msr_safe': converged}, **others)
            script = write_stub(tmp_path, name, answer)
            script.write_text(script.read_text().replace('echo x >>', 'echo %s >>%s/order; : ' % (name, tmp_path)))
            lines.append(
                '%s ansible_connection=local ansible_become=false ansible_python_interpreter=%s' % (name, script)
            )
        (tmp_path / 'hosts').write_text('\n'.join(lines) + '\n')
        summary, process = run_with_summary(tmp_path, 'hpc.msr_safe.' + playbook, *arguments)
        return (tmp_path / 'order').read_text().split(), summary, process.stdout

    return run


def test_one_node_goes_first_and_all_are_counted(site):
    ran, summary, output = site()
    assert (ran[0], sorted(ran[1:3]), len(ran)) == ('n01', ['n02', 'n03'], 20)
    assert summary['outcomes']['as wanted'] == {'nodes': NODES, 'range': 'n[01-20]'}
    assert 'msr-safe on 20 nodes' in output


def test_a_first_node_that_fails_is_the_only_one(site):
    ran, summary, output = site('n01')
    assert ran == ['n01']
    assert summary['outcomes']['failed']['nodes'] == ['n01']
    assert summary['outcomes']['untouched']['range'] == 'n[02-20]'
    assert '1  plan: broken  (n01)' in output


def test_a_wave_in_which_most_fail_is_the_last(site):
    ran, summary, _output = site('n02', 'n03')
    assert sorted(ran) == ['n01', 'n02', 'n03']
    assert summary['outcomes']['untouched']['range'] == 'n[04-20]'


def test_a_few_that_fail_do_not_hold_back_the_rest(site):
    ran, summary, _output = site('n02', 'n10')
    assert len(ran) == 20
    assert summary['outcomes']['as wanted']['range'] == 'n[01,03-09,11-20]'


def test_more_may_fail_where_the_site_says_so(site):
    ran, _summary, _output = site(
        'n01', arguments=['-e', 'msr_safe_max_fail_percentage=100', '-e', 'msr_safe_serial=5']
    )
    assert len(ran) >= 5


def test_removal_wants_its_nodes_named(site):
    ran, _summary, output = site(playbook='remove')
    assert ran == []
    assert 'Name them: --limit n1' in output


def test_removal_is_not_content_with_a_name_that_ansible_does_not_see(site, tmp_path):
    (tmp_path / 'group_vars').mkdir()
    (tmp_path / 'group_vars' / 'all.yml').write_text('msr_safe_hosts: n03\n')
    ran, _summary, output = site(playbook='remove')
    assert ran == []
    assert 'Name them: --limit n1' in output
    ran, _summary, output = site(playbook='remove', arguments=['-e', 'msr_safe_hosts=n03'])
    assert set(ran) == {'n03'}, output


def test_nodes_that_a_name_in_the_inventory_does_not_mean_are_refused(site, tmp_path):
    (tmp_path / 'group_vars').mkdir()
    (tmp_path / 'group_vars' / 'all.yml').write_text('msr_safe_hosts: n03\n')
    ran, summary, output = site(arguments=['-e', 'msr_safe_serial=100%'])
    assert ran == ['n03'], output
    assert len(summary['outcomes']['failed']['nodes']) == 19
    assert '-e msr_safe_hosts=n03' in output


@pytest.mark.parametrize('limit', ['n02,n05', '@some', '~n0[25]'])
def test_removal_is_for_the_nodes_that_a_limit_means(site, tmp_path, limit):
    (tmp_path / 'some').write_text('n02\nn05\n')
    ran, _summary, output = site(playbook='remove', arguments=['--limit', limit])
    assert set(ran) == {'n02', 'n05'}, output


def busy(converged):
    """Return what is observed on a node on which a job runs, and whose list is another one."""
    return dict(converged, jobs=['42'], approved_list=dict(converged['approved_list'], sha256='other'))


def test_what_is_deferred_everywhere_is_told_to_the_nodes_once_and_changes_nothing(site):
    """A second execution, for the node to remember it; none where it does."""
    _fresh, converged = observations()
    (waiting,) = deferrals([defer_for_jobs({'stage': 'approve', 'title': 'activate al_0655'}, ['42'])])
    told = {'done': [], 'deferred': ['%(what)s: %(why)s' % waiting], 'changed': False}
    ran, summary, output = site(arguments=['--limit', 'n03'], msr_safe=busy(converged), **told)
    assert ran == ['n03', 'n03'] and 'changed=0' in output
    assert summary['outcomes']['deferred']['range'] == 'n03'
    ran, _summary, _output = site(arguments=['--limit', 'n03', '--check'], msr_safe=busy(converged), **told)
    assert ran == ['n03']
    remembers = dict(busy(converged), deferred=[dict(waiting, since='2026-11-27T06:00:00Z')])
    ran, summary, _output = site(arguments=['--limit', 'n03'], msr_safe=remembers)
    assert ran == ['n03']
    assert summary['outcomes']['deferred']['range'] == 'n03'


def test_what_is_done_by_now_is_forgotten(site):
    _fresh, converged = observations()
    waiting = {'what': 'load: load msr_safe', 'why': 'job 42 is on the node', 'since': '2026-11-27T06:00:00Z'}
    answer = {'msr_safe': dict(converged, deferred=[waiting]), 'done': [], 'deferred': [], 'changed': False}
    ran, summary, _output = site(arguments=['--limit', 'n03'], **answer)
    assert ran == ['n03', 'n03']
    assert summary['outcomes']['as wanted']['range'] == 'n03'
