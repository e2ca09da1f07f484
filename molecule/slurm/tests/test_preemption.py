# SPDX-License-Identifier: GPL-3.0-or-later
"""A job that makes way for another, and one whose components are jobs of their own."""

import pytest
from cluster import JOB, MISC_ENABLE, READ, wait_until

pytestmark = pytest.mark.slow

PREEMPTION = """\
PreemptType=preempt/partition_prio
PreemptMode={}
PartitionName=urgent Nodes=c1,c2 MaxTime=INFINITE OverSubscribe=EXCLUSIVE PriorityTier=10
"""
UNTIL_IT_IS_REQUEUED = "'SLURM_RESTART_COUNT' in os.environ or time.sleep(600)\nprint(hex(old))\n"


@pytest.fixture
def preemption(cluster, slurm_conf):
    """Have jobs of the partition `urgent` preempt others, for a test."""

    def change(what):
        slurm_conf(what)
        cluster.run('systemctl restart slurmctld')
        wait_until(lambda: cluster.try_run('scontrol ping').returncode == 0 and not unsure_nodes(cluster))

    yield lambda mode: change(lambda text: text + PREEMPTION.format(mode))
    change(lambda text: text)


def unsure_nodes(cluster):
    """Return the nodes that slurmctld has not heard of since it started, or does not reach."""
    return [
        state for state in cluster.run('sinfo --noheader --partition=main --format=%T').split() if state[-1] in '*~#'
    ]


def urgent_job_reads(cluster):
    done = cluster.as_user('srun --quiet --partition=urgent --nodelist=c1 python3 -', READ.format(MISC_ENABLE))
    assert done.returncode == 0, done.stdout
    return set(done.stdout.split())


def test_one_that_is_requeued_for_another(cluster, node, preemption, baseline, changing_job):
    """What preempts it finds the registers as it found them, and so does it when it runs again."""
    preemption('REQUEUE')
    job = changing_job(UNTIL_IT_IS_REQUEUED)
    assert urgent_job_reads(cluster) == baseline
    cluster.run(f'scontrol update jobid={job} starttime=now')
    cluster.wait_end(job)
    assert 'Restarts=1' in cluster.run(f'scontrol show job {job}')
    assert {node.read('/home/user/out').split()[-1]} == baseline
    assert cluster.next_job_reads() == baseline


def test_one_that_is_cancelled_for_another(cluster, preemption, baseline, changing_job):
    preemption('CANCEL')
    job = changing_job('time.sleep(600)\n')
    assert urgent_job_reads(cluster) == baseline
    assert cluster.state(job) == 'PREEMPTED'


def test_components_of_a_heterogeneous_job(cluster, node, baseline):
    """Each is a job with a number of its own on its node."""
    others = cluster.nodes['c2'].turbo()
    for host in cluster.nodes.values():
        host.write('/home/user/job.py', JOB, '755')
    done = cluster.as_user('srun --quiet --nodelist=c1 /home/user/job.py : --nodelist=c2 /home/user/job.py')
    assert (done.returncode, done.stdout.count('turbo is changed')) == (0, 2), done.stdout
    wait_until(lambda: cluster.idle('c2'))
    assert cluster.next_job_reads() == baseline
    assert cluster.next_job_reads('c2') == others
