# SPDX-License-Identifier: GPL-3.0-or-later
"""An msr-job stands by for prologs and epilogs, and nothing depends on it."""

import contextlib

import pytest
from cluster import NO_JOB, wait_until

LOCK = '/run/msr-safe/jobs/lock'
MAIN = '$(systemctl show --property=MainPID --value msr-safe-standby)'


def pid_of_standby(node):
    return node.run(f'echo {MAIN}').strip()


def children(node):
    """Return the pids of what was asked of the msr-job that stands by, and has not ended."""
    return node.try_run(f'pgrep --parent {MAIN}').stdout.split()


@contextlib.contextmanager
def prolog_at_work(cluster, node):
    """A job whose prolog has begun, and waits for the lock of the node's jobs: (the job, the pid of its msr-job)."""
    node.run(f'systemd-run --quiet --unit=holder flock {LOCK} sleep 50')
    wait_until(lambda: node.try_run(f'flock --nonblock {LOCK} true').returncode != 0)
    try:
        job = cluster.submit('')
        wait_until(lambda: children(node))
        yield job, children(node)[0]
    finally:
        node.run('systemctl stop holder')


def runs_to_its_end(cluster, node, job):
    cluster.wait_end(job)
    assert cluster.state(job) == 'COMPLETED'
    assert node.read('/home/user/out') == 'turbo is changed\n'


def test_it_is_asked(cluster, node, baseline):
    with prolog_at_work(cluster, node) as (job, _pid):
        pass
    runs_to_its_end(cluster, node, job)
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_it_is_killed_while_a_prolog_is_at_work(cluster, node, baseline):
    was = pid_of_standby(node)
    with prolog_at_work(cluster, node) as (job, pid):
        node.run(f'kill -9 {MAIN}')
        wait_until(lambda: pid_of_standby(node) not in (was, '0'))
        node.run(f'kill -0 {pid}')
    runs_to_its_end(cluster, node, job)
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_it_does_not_answer(cluster, node, baseline):
    node.run(f'kill -STOP {MAIN}')
    job = cluster.submit('')
    runs_to_its_end(cluster, node, job)
    node.run(f'kill -CONT {MAIN}')
    assert cluster.next_job_reads() == baseline
    assert node.run('msr-job status') == 'no job\n'


@pytest.mark.slow
def test_it_is_not_there(cluster, node, baseline):
    node.run('systemctl stop msr-safe-standby')
    assert 'starts a Python for each prolog and epilog' in node.run('msr-job check --all')
    runs_to_its_end(cluster, node, cluster.submit(''))
    node.run('systemctl start msr-safe-standby')
    assert 'asks the msr-job that stands by' in node.run('msr-job check --all')
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_a_prolog_that_slurm_kills_is_killed(cluster, node, baseline):
    """As PrologEpilogTimeout does. Slurm drains the node, and queues the job again."""
    with prolog_at_work(cluster, node) as (job, pid):
        node.run('pkill --signal KILL --full "slurmstepd spank prolog"')
        wait_until(lambda: node.try_run(f'kill -0 {pid}').returncode != 0)
    wait_until(lambda: 'drain' in cluster.run('sinfo -h -n c1 -o %t'))
    cluster.run(f'scancel {job}')
    wait_until(lambda: node.try_run(NO_JOB).returncode == 0)
    cluster.run('scontrol update nodename=c1 state=resume')
    wait_until(cluster.idle)
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_the_library_was_replaced(cluster, node, baseline):
    was = pid_of_standby(node)
    node.run(
        'cd /usr/lib/msr-safe && cp -a hpc_msr_safe new && mv hpc_msr_safe old && mv new hpc_msr_safe && rm -r old'
    )
    runs_to_its_end(cluster, node, cluster.submit(''))
    wait_until(lambda: pid_of_standby(node) not in (was, '0'))
    with prolog_at_work(cluster, node) as (job, _pid):
        pass
    runs_to_its_end(cluster, node, job)
    assert cluster.next_job_reads() == baseline
