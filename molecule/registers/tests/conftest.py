# SPDX-License-Identifier: GPL-3.0-or-later
"""The node under test: what it has is taken away for a test, and what a test changes is brought back."""

import contextlib
import pathlib
import subprocess

import pytest

KMOD = pathlib.Path(__file__).parents[3] / 'files/kmod'
PRESET = KMOD / 'simulation/skylake-sp.registers'
SNAPSHOT = '/root/snapshot.json'


@pytest.fixture(scope='module')
def rdmsr(host):
    """Read a register with msr-tools and the kernel's own driver: not one of ours."""

    def read(cpu, address=0x1A0):
        return int(host.check_output(f'modprobe msr && rdmsr -p {cpu} {address:#x}'), 16)

    return read


@pytest.fixture(scope='session')
def first_snapshot(ssh):
    ssh('skylake', f'msrsave --overwrite {SNAPSHOT}')


@pytest.fixture
def snapshot(host, first_snapshot):
    """The registers, saved; at the end of the test they are as they were."""
    yield SNAPSHOT
    host.run_expect([0], f'msrsave -r {SNAPSHOT}')


@pytest.fixture
def offline(host):
    """Take CPUs offline as long as a with statement lasts."""

    @contextlib.contextmanager
    def take_offline(*cpus):
        for cpu in cpus:
            host.run_expect([0], f'echo 0 > /sys/devices/system/cpu/cpu{cpu}/online')
        try:
            yield
        finally:
            for cpu in cpus:
                host.run_expect([0], f'echo 1 > /sys/devices/system/cpu/cpu{cpu}/online')
            host.run_expect([0], 'udevadm settle')

    return take_offline


@pytest.fixture
def hidden(host):
    """Hide a device as long as a with statement lasts, or show it under another name."""

    @contextlib.contextmanager
    def hide(path, name='/dev/cpu/hidden'):
        host.run_expect([0], f'rm -f {name} && mv {path} {name}')
        try:
            yield
        finally:
            host.run_expect([0], f'mv {name} {path}')

    return hide


@pytest.fixture(scope='session')
def put(request):
    """Write bytes or text to a file of the node."""

    def write(path, content):
        command = ['ssh', '-F', request.config.getoption('--ssh-config'), 'skylake', f'cat > {path}']
        subprocess.run(command, input=content if isinstance(content, bytes) else content.encode(), check=True)

    return write


@pytest.fixture(scope='module')
def simulated_node(host, put, simulated_module):
    """The node with simulated registers, under those entries of the role's list that are among them.

    Calling it makes them as after boot, some of them as in the lines given.
    """
    preset = PRESET.read_text().splitlines()
    simulated = {address_of(line) for line in preset}
    approved = [
        line for line in host.check_output('msr-safe show --list').splitlines() if address_of(line) in simulated
    ]
    put('/root/simulated_list', '\n'.join(approved) + '\n')
    put('/root/msr-safe-simulated.ko', simulated_module.read_bytes())
    host.run_expect([0], 'systemctl stop msr-safe && rmmod msr_safe && insmod /root/msr-safe-simulated.ko')
    host.run_expect([0], 'udevadm settle; mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug')

    def define(*lines):
        replaced = {address_of(line) for line in lines}
        kept = [line for line in preset if address_of(line) and address_of(line) not in replaced]
        put('/root/registers', '\n'.join([*kept, *lines]) + '\n')
        host.run_expect([0], 'cat /root/registers > /sys/kernel/debug/msr_safe/registers')
        host.run_expect([0], 'msr-safe load /root/simulated_list')

    define()
    yield define
    host.run_expect([0], 'rmmod msr_safe && systemctl restart msr-safe && udevadm settle')


def address_of(line):
    """Return the address that a line of a list or a definition of registers begins with, or None."""
    word = line.split()[:1]
    return int(word[0], 16) if word and word[0].startswith('0x') else None


@pytest.fixture(scope='module')
def simulated_module(host, tmp_path_factory):
    """The kernel module with simulated registers, built on this machine for the node's kernel."""
    out = tmp_path_factory.mktemp('simulated')
    release = host.check_output('uname -r')
    subprocess.run(
        ['make', f'--directory={KMOD}', 'simulated', f'OUT={out}', f'KERNEL_RELEASE={release}'],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return out / 'msr-safe.ko'
