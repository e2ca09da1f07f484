# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be made good takes the node out of service, with a reason that names the register."""

import pytest
from cluster import wait_until

SETTINGS = '/etc/msr-safe/jobs.conf'


@pytest.fixture
def settings(node):
    """Change the node's settings for a test."""
    before = node.read(SETTINGS)
    yield lambda old, new: node.run(f"sed -i 's/^{old}$/{new}/' {SETTINGS}")
    node.write(SETTINGS, before)


@pytest.fixture
def stuck(node):
    """Have the job's snapshot ask for a value that a register cannot have: QEMU drops writes to most."""

    def spoil(job):
        node.run(
            f"python3 - <<'EOF'\n"
            f'import sys; sys.path.insert(0, "/usr/lib/msr-safe")\n'
            f'from hpc_msr_safe.snapshots.snapshot import parse_snapshot, render_snapshot\n'
            f'path = "/run/msr-safe/jobs/{job}/registers"\n'
            f'snapshot = parse_snapshot(open(path).read(), path)\n'
            f'register = snapshot["registers"]["0x000001A4"]\n'
            f'register["values"] = {{"0x0000000000000001": "0-3"}}\n'
            f'open(path, "w").write(render_snapshot(snapshot))\n'
            f'EOF\n'
        )

    return spoil


def test_epilog(cluster, node, changing_job, baseline, stuck):
    job = changing_job('time.sleep(600)\n')
    stuck(job)
    cluster.run(f'scancel {job}')
    wait_until(lambda: 'drain' in cluster.run('sinfo -h -n c1 -o %T'))
    reason = cluster.run('scontrol show node c1')
    assert f'Reason=msr-safe: job {job}: not restored: 0x000001A4' in reason
    assert 'on CPU 0-3: the register did not take the value' in reason
    # All else was restored; the administrator brings back the baseline, and resumes
    assert node.turbo() == baseline
    node.run('msr-job reset')
    cluster.run('scontrol update nodename=c1 state=resume')
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_epilog_tolerated(cluster, node, changing_job, baseline, stuck, settings):
    settings('epilog_failure = drain', 'epilog_failure = tolerate')
    job = changing_job('time.sleep(600)\n')
    stuck(job)
    cluster.run(f'scancel {job}')
    cluster.wait_end(job)
    assert 'drain' not in cluster.run('sinfo -h -n c1 -o %T')
    assert '0x000001A4' in node.run('grep "not restored" /var/log/slurm/slurmd.log')
    node.run('msr-job reset')


@pytest.mark.slow
def test_prolog(cluster, node, baseline):
    """A profile whose list is malformed."""
    path = '/etc/msr-safe/profiles/power'
    text = node.read(path)
    node.write(path, text + 'nonsense\n')
    try:
        job = cluster.submit('', '--msr-profile=power')
        wait_until(lambda: 'drain' in cluster.run('sinfo -h -n c1 -o %T'))
        reason = cluster.run('scontrol show node c1')
        assert f'Reason=msr-safe: job {job}: {path}' in reason
        assert 'nonsense' in reason
        assert cluster.state(job) == 'PENDING'
        cluster.run(f'scancel {job}')
    finally:
        node.write(path, text)
    assert node.turbo() == baseline


@pytest.mark.slow
def test_a_second_writer_on_a_node_is_refused(cluster, node, baseline):
    job = cluster.submit('time.sleep(600)\n', '--partition=shared')
    wait_until(lambda: node.turbo() != baseline)
    done = cluster.srun('echo reached', '--partition=shared')
    assert done.returncode != 0
    assert f'msr-safe: job {job} on this node may write registers' in done.stdout
    assert '--exclusive' in done.stdout
    cluster.run(f'scancel {job}')
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_the_last_of_several_jobs_restores(cluster, node, baseline, settings):
    settings('shared = refuse', 'shared = last')
    first = cluster.submit('time.sleep(600)\n', '--partition=shared')
    wait_until(lambda: node.turbo() != baseline)
    changed = node.turbo()
    assert cluster.srun('true', '--partition=shared').returncode == 0
    wait_until(lambda: node.run('msr-job status').count('\n') == 2)
    assert node.turbo() == changed
    cluster.run(f'scancel {first}')
    assert cluster.next_job_reads() == baseline
