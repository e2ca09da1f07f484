# SPDX-License-Identifier: GPL-3.0-or-later
"""Registers that virtual nodes do not have: power limits, in the module with simulated registers."""

import pathlib
import subprocess

import pytest
from cluster import NO_JOB, STATE, wait_until

pytestmark = pytest.mark.slow

KMOD = pathlib.Path(__file__).parents[3] / 'files/kmod'
POWER_LIMIT = 0x610

# Halve PL1 (bits 14:0) of the package
LOWER = f"""
device = os.open('/dev/cpu/0/msr_safe', os.O_RDWR)
old, = struct.unpack('<Q', os.pread(device, 8, {POWER_LIMIT}))
os.pwrite(device, struct.pack('<Q', old & ~0x7FFF | (old & 0x7FFF) // 2), {POWER_LIMIT})
"""


@pytest.fixture
def simulated(cluster, node):
    """Load the module with simulated registers on c1, and the real one again at the end, when no job is there."""
    release = node.run('uname -r').strip()
    out = STATE / 'simulated'
    subprocess.run(['make', '-C', KMOD, 'simulated', f'KERNEL_RELEASE={release}', f'OUT={out}'], check=True)
    subprocess.run(['scp', '-q', '-F', STATE / 'ssh_config', out / 'msr-safe.ko', 'c1:/root/msr-safe.ko'], check=True)
    registers = (KMOD / 'simulation/skylake-sp.registers').read_text()
    node.run('rmmod msr_safe; insmod /root/msr-safe.ko; udevadm settle')
    node.run('cat > /sys/kernel/debug/msr_safe/registers', registers)
    node.run('msr-safe load; msr-job baseline')
    yield
    cluster.run('scancel --user=user')
    wait_until(lambda: node.try_run(NO_JOB).returncode == 0)
    node.run('rmmod msr_safe; modprobe msr_safe; udevadm settle; msr-safe load; msr-job baseline')


def test_a_lowered_power_limit_is_restored(cluster, node, simulated):
    before = node.register(POWER_LIMIT)
    job = cluster.submit(LOWER + 'time.sleep(600)\n', '--msr-profile=power')
    wait_until(lambda: node.register(POWER_LIMIT) != before)
    cluster.run(f'scancel {job}')
    cluster.wait_end(job)
    wait_until(lambda: 'no job' in node.run('msr-job status'))
    assert node.register(POWER_LIMIT) == before
    assert 'PKG_POWER_LIMIT' in node.run(f"grep 'job {job}: ' /var/log/slurm/slurmd.log")
