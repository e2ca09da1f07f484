# SPDX-License-Identifier: GPL-3.0-or-later
"""Many jobs, one after the other and at once: no drift. MSR_SAFE_JOBS=50 for the long way."""

import os

import pytest
from cluster import wait_until

pytestmark = pytest.mark.slow

JOBS = int(os.environ.get('MSR_SAFE_JOBS', 8))


@pytest.fixture(autouse=True)
def tidy(cluster):
    yield
    for host in cluster.nodes.values():
        host.run('rm -f /home/user/many-*')


def test_no_drift_on_two_nodes(cluster, node, baseline):
    """Every job says what it found, then changes it; its end is any of several."""
    before = {name: host.turbo() for name, host in cluster.nodes.items()}
    ends = ('', 'sys.exit(1)\n', 'os.kill(os.getpid(), signal.SIGKILL)\n', 'time.sleep(1)\n')
    for number in range(JOBS):
        cluster.submit(ends[number % len(ends)], node=f'c{number % 2 + 1}', output=f'/home/user/many-{number}')
    wait_until(lambda: not cluster.run('squeue --noheader'), patience=30 * JOBS)
    for name, host in cluster.nodes.items():
        wait_until(lambda host=host: 'no job' in host.run('msr-job status'))
        assert host.run('cat /home/user/many-* | sort | uniq -c').split() == [str(JOBS // 2), 'turbo', 'is', 'changed']
        assert host.turbo() == before[name]
        assert cluster.next_job_reads(name) == before[name]


def test_several_at_once_on_one_node(cluster, node, baseline):
    """Prologs and epilogs act one after the other, whatever their order."""
    settings = node.read('/etc/msr-safe/jobs.conf')
    try:
        node.write('/etc/msr-safe/jobs.conf', settings.replace('shared = refuse', 'shared = last'))
        for number in range(4):
            cluster.submit('time.sleep(1)\n', '--partition=shared', output=f'/home/user/many-{number}')
        wait_until(lambda: not cluster.run('squeue --noheader'))
        wait_until(lambda: 'no job' in node.run('msr-job status'))
        assert node.run('cat /home/user/many-* | wc -l').strip() == '4'
        assert node.turbo() == baseline
    finally:
        node.write('/etc/msr-safe/jobs.conf', settings)


def test_timeout(cluster, node, changing_job, baseline):
    job = changing_job('time.sleep(600)\n', '--time=1')
    wait_until(lambda: cluster.state(job) == 'TIMEOUT', patience=240)
    assert cluster.next_job_reads() == baseline
