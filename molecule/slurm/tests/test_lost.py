# SPDX-License-Identifier: GPL-3.0-or-later
"""What Slurm loses, and what comes in crowds: a node, slurmctld, a hundred jobs."""

import os

import pytest
from cluster import MISC_ENABLE, READ, wait_until

pytestmark = pytest.mark.slow

JOBS = int(os.environ.get('MSR_SAFE_JOBS', 20))

# Say what the register holds as the job begins, change it, and wait
SCRIPT = f"""\
#!/usr/bin/python3
{READ.format(MISC_ENABLE)}
import time
print('begun', flush=True)
for path in glob.glob('/dev/cpu/[0-9]*/msr_safe'):
    device = os.open(path, os.O_RDWR)
    old, = struct.unpack('<Q', os.pread(device, 8, {MISC_ENABLE}))
    os.pwrite(device, struct.pack('<Q', old ^ 1 << 38), {MISC_ENABLE})
while not os.path.exists('/tmp/go'): time.sleep(0.2)
"""


def test_a_job_that_starts_again_after_its_node_was_lost_starts_clean(cluster, node, baseline):
    command = 'sbatch --parsable --requeue --nodelist=c1 --open-mode=truncate --output=/home/user/out'
    job = int(cluster.as_user(command, SCRIPT).stdout)
    wait_until(lambda: node.turbo() != baseline)
    node.run(f'systemctl kill --kill-whom=main --signal=KILL slurmd; pkill -9 -f "^slurmstepd: .{job}.batch"; sleep 1')
    cluster.run('scontrol update nodename=c1 state=down reason=lost')
    wait_until(lambda: cluster.state(job) == 'PENDING')
    node.run('rm -f /home/user/out; systemctl restart slurmd')
    wait_until(lambda: 'down' not in cluster.run('sinfo -h -n c1 -o %T') or not resume(cluster))
    # Until slurmd is through with the former run: Slurm 22.05 takes word of its end for that of the next
    wait_until(lambda: 'done with job' in node.run(f"grep -a '\\[{job}.batch\\]' /var/log/slurm/slurmd.log || true"))
    cluster.run(f'scontrol update jobid={job} starttime=now')
    wait_until(lambda: 'begun' in node.try_run('cat /home/user/out').stdout)
    assert 'Restarts=1' in cluster.run(f'scontrol show job {job}')
    assert set(node.read('/home/user/out').split()) == baseline | {'begun'}
    node.run('touch /tmp/go')
    cluster.wait_end(job)
    assert cluster.next_job_reads() == baseline


def resume(cluster):
    return cluster.try_run('scontrol update nodename=c1 state=resume')


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
