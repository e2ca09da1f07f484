# SPDX-License-Identifier: GPL-3.0-or-later
"""However a job ends, the next one finds the registers as it found them."""

import pytest
from cluster import TURBO_OFF, fleet, wait_until

SLEEP = 'time.sleep(600)\n'
WAIT = "while not os.path.exists('/tmp/go'): time.sleep(0.2)\n"


@pytest.mark.parametrize(('what', 'state'), [('', 'COMPLETED'), ('sys.exit(1)\n', 'FAILED')])
def test_it_exits(cluster, node, baseline, what, state):
    job = cluster.submit(what)
    cluster.wait_end(job)
    assert cluster.state(job) == state
    assert node.read('/home/user/out') == 'turbo is changed\n'
    assert cluster.next_job_reads() == baseline


def test_scancel(cluster, changing_job, baseline):
    job = changing_job(SLEEP)
    cluster.run(f'scancel {job}')
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_its_step_is_killed(cluster, node, changing_job, baseline):
    job = changing_job(SLEEP)
    node.run(f'kill -9 $(pgrep -f "^slurmstepd: .{job}.batch")')
    cluster.run(f'scancel {job}')
    assert cluster.next_job_reads() == baseline


def test_slurmd_is_killed_and_restarted(cluster, node, changing_job, baseline):
    job = changing_job(WAIT)
    node.run('systemctl kill --kill-whom=main --signal=KILL slurmd; systemctl restart slurmd')
    wait_until(lambda: 'idle' not in cluster.run('sinfo -h -n c1 -o %t'))
    assert cluster.state(job) == 'RUNNING'
    node.run('touch /tmp/go')
    cluster.wait_end(job)
    assert cluster.state(job) == 'COMPLETED'
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_it_ends_while_slurmd_is_down(cluster, node, changing_job, baseline):
    job = changing_job(WAIT)
    node.run('systemctl stop slurmd; touch /tmp/go; sleep 2')
    assert node.turbo() != baseline
    node.run('systemctl start slurmd')
    cluster.wait_end(job)
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_requeue(cluster, node, changing_job, baseline):
    job = changing_job("'SLURM_RESTART_COUNT' in os.environ or time.sleep(600)\n")
    cluster.run(f'scontrol requeue {job}')
    wait_until(lambda: cluster.state(job) == 'PENDING')
    cluster.run(f'scontrol update jobid={job} starttime=now')
    cluster.wait_end(job)
    assert 'Restarts=1' in cluster.run(f'scontrol show job {job}')
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_a_node_that_was_lost(cluster, node, changing_job, baseline):
    """The job begins again where it was, under the same number, and finds the registers as the first time."""
    job = changing_job("'SLURM_RESTART_COUNT' in os.environ or time.sleep(600)\nprint(hex(old))\n")
    node.run('systemctl stop slurmd; pkill --signal KILL slurmstepd; pkill --signal KILL --uid user')
    cluster.run('scontrol update nodename=c1 state=down reason=lost')
    wait_until(lambda: cluster.state(job) == 'PENDING')
    assert node.turbo() != baseline
    node.run('systemctl start slurmd')
    wait_until(cluster.idle)  # By itself: ReturnToService=2
    # select/linear of 22.05 may go on counting the node as the job's, of whose end it never heard
    cluster.run('scontrol reconfigure')
    cluster.run(f'scontrol update jobid={job} starttime=now')
    cluster.wait_end(job)
    assert 'Restarts=1' in cluster.run(f'scontrol show job {job}')
    assert {node.read('/home/user/out').split()[-1]} == baseline
    cluster.run('scontrol reconfigure')
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_an_array(cluster, node, baseline):
    job = cluster.submit('', '--array=1-3', output='/home/user/out-%a')
    wait_until(lambda: not cluster.run(f'squeue --noheader --jobs={job}'))
    assert node.read('/home/user/out-3') == 'turbo is changed\n'
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_nested_steps(cluster, node, baseline):
    """A step sees what the job set: the registers are the job's, not the step's."""
    job = cluster.submit(
        "subprocess.run(['srun', 'true']); subprocess.run(['sh', '-c', 'srun true & srun true; wait'])\n"
        "old, = struct.unpack('<Q', os.pread(device, 8, 0x1A0)); print(hex(old))\n"
    )
    cluster.wait_end(job)
    changed = {hex(int(value, 16) ^ TURBO_OFF) for value in baseline}
    assert node.read('/home/user/out').split()[-1] in changed
    assert cluster.next_job_reads() == baseline


def test_power_cut(cluster, node):
    """The baseline is another than what the hardware comes up with, so it is really brought back."""
    try:
        set_turbo(node, TURBO_OFF)
        node.run('msr-job baseline')
        turbo_is_off = node.turbo()
        job = cluster.submit(SLEEP)
        wait_until(lambda: node.turbo() != turbo_is_off)
        fleet('reboot', 'c1')
        assert node.turbo() == turbo_is_off
        assert 'IA32_MISC_ENABLE' in node.run('journalctl --boot --unit=msr-safe-baseline')
        cluster.run(f'scancel {job}')
        wait_until(cluster.idle)
        assert cluster.next_job_reads() == turbo_is_off
    finally:
        wait_until(cluster.idle)  # An epilog that is still at work would bring back what is set now
        set_turbo(node, 0)
        node.run('msr-job baseline')


def set_turbo(node, value):
    """Be the administrator, who has other settings than the hardware comes up with."""
    script = (
        'import os, struct\n'
        'for cpu in range(4):\n'
        '    device = os.open(f"/dev/cpu/{cpu}/msr_safe", os.O_RDWR)\n'
        f'    os.pwrite(device, struct.pack("<Q", {value}), 0x1A0)\n'
    )
    node.run('python3 -', script)
