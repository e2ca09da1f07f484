# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that is drained for the role, waited for, and resumed."""

import json
import os
import pathlib
import subprocess

import pytest
from cluster import STATE, wait_until

pytestmark = pytest.mark.slow

SCENARIO = pathlib.Path(__file__).parents[1]
# A list that is not the one in force, so that a job would feel it
NARROWER = [{'register': 'PKG_POWER_LIMIT', 'write_mask': '0x0'}]


class Site:
    """The playbook site on c1, with the drain."""

    def __init__(self, **variables):
        given = {
            'msr_safe_drain': True,
            'msr_safe_drain_host': 'controller',
            'msr_safe_drain_interval': 1,
            'msr_safe_approved_list_overrides': NARROWER,
            **variables,
        }
        self.process = subprocess.Popen(
            [
                *('ansible-playbook', 'hpc.msr_safe.site', '-i', STATE / 'inventory.yml', '-l', 'c1'),
                *('-e', f'@{SCENARIO}/settings.yml', '-e', json.dumps(given)),
            ],
            env=dict(
                os.environ,
                ANSIBLE_NOCOLOR='1',
                ANSIBLE_FORCE_COLOR='0',
                ANSIBLE_CALLBACKS_ENABLED='hpc.msr_safe.summary',
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self):
        """Wait for the playbook; return what it said. Raises AssertionError where it failed."""
        said = self.process.communicate()[0]
        assert self.process.returncode == 0, said
        return said


def node_state(cluster):
    """Return (state, reason) of c1."""
    text = cluster.run('scontrol --oneliner show node c1')
    return text.partition(' State=')[2].split()[0], text.partition(' Reason=')[2]


@pytest.fixture
def put_back(node):
    """At the end the node's list is the scenario's again."""
    yield
    settings = json.dumps({'msr_safe_drain': False})
    subprocess.run(
        [
            *('ansible-playbook', 'hpc.msr_safe.site', '-i', STATE / 'inventory.yml', '-l', 'c1'),
            *('-e', f'@{SCENARIO}/settings.yml', '-e', settings),
        ],
        check=True,
    )


def power_limit(node):
    return node.run('msr-safe show PKG_POWER_LIMIT')


def test_jobs_are_waited_for_and_the_node_is_resumed(cluster, node, put_back):
    job = cluster.submit('import os\nwhile not os.path.exists("/tmp/go"): time.sleep(0.2)\n')
    wait_until(lambda: cluster.state(job) == 'RUNNING')
    site = Site()
    wait_until(lambda: 'DRAIN' in node_state(cluster)[0])
    assert node_state(cluster)[1].startswith('hpc.msr_safe: approve: ')
    # Under the job the list is the one that it began with
    assert 'read only' not in power_limit(node)
    node.run('touch /tmp/go')
    said = site.end()
    assert cluster.state(job) == 'COMPLETED'
    assert 'resume c1 in Slurm' in said
    assert 'read only' in power_limit(node)
    wait_until(cluster.idle)


def test_a_job_that_does_not_end_in_time_defers(cluster, node, put_back):
    job = cluster.submit('time.sleep(600)\n')
    wait_until(lambda: cluster.state(job) == 'RUNNING')
    said = Site(msr_safe_drain_timeout=1).end()
    assert '1 deferred     c1' in said
    assert 'not drained in time: a job is on the node' in said
    assert 'DRAIN' not in node_state(cluster)[0]
    assert cluster.state(job) == 'RUNNING'
    assert 'read only' not in power_limit(node)


def test_what_the_administrator_drained_stays_so(cluster, node, put_back):
    cluster.run('scontrol update nodename=c1 state=drain reason="a fan is broken"')
    said = Site(msr_safe_drain_host='').end()  # asked on the node itself
    assert 'drain: ' not in said
    state, reason = node_state(cluster)
    assert 'DRAIN' in state
    assert reason.startswith('a fan is broken')
    assert 'read only' in power_limit(node)
