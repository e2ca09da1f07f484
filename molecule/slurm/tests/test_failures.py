# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be made good takes the node out of service, with a reason that names the register."""

import pytest
from cluster import fleet, wait_until

SETTINGS = '/etc/msr-safe/jobs.conf'


@pytest.fixture
def settings(node):
    """Change the node's settings for a test."""
    before = node.read(SETTINGS)
    yield lambda old, new: node.run(f"sed -i 's/^{old}$/{new}/' {SETTINGS}")
    node.write(SETTINGS, before)


@pytest.fixture
def stuck(node):
    """Have the baseline ask for a value that a register cannot have: QEMU drops writes to most."""
    path = '/var/lib/msr-safe/baseline'
    node.run(f'cp {path} {path}.test')

    def spoil(job):
        node.run(
            f"python3 - <<'EOF'\n"
            f'import sys; sys.path.insert(0, "/usr/lib/msr-safe")\n'
            f'from hpc_msr_safe.snapshots.snapshot import parse_snapshot, render_snapshot\n'
            f'path = "{path}"\n'
            f'snapshot = parse_snapshot(open(path).read(), path)\n'
            f'register = snapshot["registers"]["0x000001A4"]\n'
            f'register["values"] = {{"0x0000000000000001": "0-3"}}\n'
            f'open(path, "w").write(render_snapshot(snapshot))\n'
            f'EOF\n'
        )

    yield spoil
    node.run(f'test ! -e {path}.test || mv {path}.test {path}')


def test_epilog(cluster, node, changing_job, baseline, stuck):
    job = changing_job('time.sleep(600)\n')
    stuck(job)
    cluster.run(f'scancel {job}')
    wait_until(lambda: 'drain' in cluster.run('sinfo -h -n c1 -o %T'))
    reason = cluster.run('scontrol show node c1')
    assert f'Reason=msr-safe: job {job}: not restored: 0x000001A4' in reason
    assert 'on CPU 0-3: the register did not take the value' in reason
    # All else was restored; the administrator finds the cause, brings back the baseline, and resumes
    assert node.turbo() == baseline
    node.run('mv /var/lib/msr-safe/baseline.test /var/lib/msr-safe/baseline')
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
    node.run('mv /var/lib/msr-safe/baseline.test /var/lib/msr-safe/baseline; msr-job reset')


@pytest.mark.slow
def test_prolog(cluster, node, baseline):
    """A baseline that is damaged: no job starts from it."""
    path = '/var/lib/msr-safe/baseline'
    text = node.read(path)
    node.write(path, text + 'nonsense\n')
    job = cluster.submit('', '--msr-profile=power')
    try:
        wait_until(lambda: 'drain' in cluster.run('sinfo -h -n c1 -o %T'))
        reason = cluster.run('scontrol show node c1')
        assert f'Reason=msr-safe: job {job}: {path} is damaged' in reason
        wait_until(lambda: cluster.state(job) == 'PENDING')
    finally:
        cluster.run(f'scancel {job}')
        node.write(path, text)
    assert node.turbo() == baseline


@pytest.mark.slow
def test_a_kernel_without_a_module(cluster, node, baseline):
    """The node comes up, and says why it is not in service: slurmd runs."""
    module = f'/lib/modules/{node.run("uname -r").strip()}/updates/msr-safe.ko'
    node.run(f'mv {module} /root && depmod && sync')
    try:
        fleet('reboot', 'c1')
        wait_until(lambda: 'drain' in cluster.run('sinfo -h -n c1 -o %T'))
        assert 'Reason=msr-safe: at boot: There is no module msr_safe for kernel' in cluster.run(
            'scontrol show node c1'
        )
        assert node.run('systemctl is-active slurmd') == 'active\n'
    finally:
        node.run(f'mv /root/msr-safe.ko {module} && depmod && systemctl restart msr-safe && msr-job reset')
        cluster.run('scontrol update nodename=c1 state=resume')
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_a_profile_whose_list_is_malformed(cluster, node, baseline):
    """Who asks for it is told so; a user who asked for it on node after node would drain them all."""
    path = '/etc/msr-safe/profiles/power'
    text = node.read(path)
    node.write(path, text + 'nonsense\n')
    try:
        done = cluster.srun('echo reached', '--msr-profile=power')
    finally:
        node.write(path, text)
    assert done.returncode != 0
    assert "msr-safe: the list of the profile 'power' is broken" in done.stdout
    assert 'drain' not in cluster.run('sinfo -h -n c1 -o %T')


@pytest.mark.slow
def test_a_second_writer_on_a_node_is_refused(cluster, node, baseline):
    """Where nodes are shared, nobody writes; who asks for nothing has company."""
    first = cluster.submit('', '--partition=shared')
    cluster.wait_end(first)
    assert 'Permission denied' in node.read('/home/user/out')
    done = cluster.srun('echo reached', '--partition=shared', '--msr-profile=power')
    assert done.returncode != 0
    assert "msr-safe: jobs with the profile 'power' may write registers, and need a node of their own" in done.stdout
    assert '--exclusive, or --partition=main' in done.stdout
    assert cluster.srun('echo reached', '--partition=shared').stdout == 'reached\n'
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
