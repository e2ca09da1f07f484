# SPDX-License-Identifier: GPL-3.0-or-later
"""What Slurm loses, and what comes in crowds: slurmctld, jobs that ask for nothing."""

import os

import pytest
from cluster import wait_until

pytestmark = pytest.mark.slow

JOBS = int(os.environ.get('MSR_SAFE_JOBS', 20))


def test_slurmctld_is_away_while_a_job_ends(cluster, node, changing_job, baseline):
    job = changing_job("while not os.path.exists('/tmp/go'): time.sleep(0.2)\n")
    cluster.run('systemctl stop slurmctld')
    node.run('touch /tmp/go; sleep 3')
    cluster.run('systemctl start slurmctld')
    cluster.wait_end(job)
    assert cluster.next_job_reads() == baseline


def test_jobs_that_ask_for_nothing_share_nodes_and_ask_slurm_nothing(cluster, node, baseline):
    """Every one runs, none is refused."""
    for number in range(JOBS):
        done = cluster.as_user(
            f'sbatch --parsable --nodelist=c1 --partition=shared --output=/home/user/many-{number} --wrap="echo ran"'
        )
        assert done.returncode == 0, done.stdout
    wait_until(lambda: not cluster.run('squeue --noheader'), patience=20 * JOBS)
    wait_until(lambda: 'no job' in node.run('msr-job status'))
    try:
        assert node.run('cat /home/user/many-* | sort | uniq -c').split() == [str(JOBS), 'ran']
    finally:
        node.run('rm -f /home/user/many-*')


def test_the_check(cluster, node, baseline):
    assert node.run('msr-job check').startswith('msr-safe: all is as it should be')
    assert 'msr_safe_jobs_total' in node.run('msr-job check --prometheus')
    node.run('echo > /dev/cpu/msr_approved_list')
    done = node.try_run('msr-job check')
    node.run('msr-safe load')
    assert done.returncode == 1
    assert 'list in force: it is not that of the node' in done.stdout
