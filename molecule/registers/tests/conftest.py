# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as their users run them: first in check mode, then for real, and both have to say the same."""

import contextlib
import json
import pathlib
import subprocess

import pytest

KMOD = pathlib.Path(__file__).parents[3] / 'files/kmod'
CALLBACK_PLUGINS = pathlib.Path(__file__).parent.parent / 'callback_plugins'
PRESET = KMOD / 'simulation/skylake-sp.registers'
SNAPSHOT = '/root/snapshot.json'
TURBO_OFF = 1 << 38

# What a module says it did, or would do
DEEDS = {'changed', 'changes', 'restored', 'diff', 'registers', 'cpus'}


class Answer(dict):
    """What a module returned; succeeded: it did not fail."""

    def __init__(self, run):
        said = [line for line in run.output.splitlines() if line.startswith('{')]
        assert said, run.output
        super().__init__(json.loads(said[-1]))
        self.succeeded, self.output = run.succeeded, run.output
        assert 'Traceback' not in run.output


@pytest.fixture
def call(module, monkeypatch):
    """Call a module once, and return its Answer. Warnings are errors, unless some are expected."""
    monkeypatch.setenv('ANSIBLE_CALLBACK_PLUGINS', str(CALLBACK_PLUGINS))
    monkeypatch.setenv('ANSIBLE_LOAD_CALLBACK_PLUGINS', 'true')
    monkeypatch.setenv('ANSIBLE_STDOUT_CALLBACK', 'answer')

    def call_once(name, *arguments, warnings=(), **options):
        answer = Answer(module(name, *arguments, **options))
        assert [word for word in answer.get('warnings', []) if not any(each in word for each in warnings)] == []
        assert not answer.get('deprecations')
        return answer

    return call_once


@pytest.fixture
def predicted(call):
    """Call a module in check mode, then for real; assert that the prediction held, and return the outcome."""

    def call_twice(name, **options):
        prediction = call(name, '--check', '--diff', **options)
        outcome = call(name, '--diff', **options)
        if outcome.succeeded:
            # In the diff of two snapshots is when each was taken
            deeds = DEEDS - {'diff'} if name == 'msr_save' else DEEDS
            assert {deed: prediction.get(deed) for deed in deeds} == {deed: outcome.get(deed) for deed in deeds}
        return outcome

    return call_twice


@pytest.fixture
def rdmsr(host):
    """Read a register with msr-tools and the kernel's own driver: not one of ours."""

    def read(cpu, address=0x1A0):
        return int(host.check_output(f'modprobe msr && rdmsr -p {cpu} {address:#x}'), 16)

    return read


@pytest.fixture
def snapshot(host, call):
    """The registers, saved, and at the end of the test as they were saved."""
    assert call('msr_save', path=SNAPSHOT, overwrite=True).succeeded
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
