# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands import run as run_module
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands.msr_safe import main
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    MISC_ENABLE,
    PREFETCHERS,
    TURBO_OFF,
)

TURBO = 'MISC_ENABLE.TURBO_MODE_DISABLE=on'


@pytest.fixture
def run(node, capsys, monkeypatch):
    """A function that runs msr-safe run, and returns (exit status, stderr, registers while the command ran)."""
    seen = {}

    def start(program):
        seen.update(node.registers)
        return subprocess.Popen(program)

    monkeypatch.setattr(run_module, 'start', start)
    node.set_register(MISC_ENABLE, 1)

    def run(*arguments):
        seen.clear()
        status = main(['run', *arguments], node.machine)
        return status, capsys.readouterr().err, dict(seen)

    yield run
    for name in (*run_module.FORWARDED, *run_module.OF_THE_TERMINAL):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_registers_are_set_meanwhile_and_as_before_then(node, run):
    status, err, seen = run('--set', TURBO, '--set', '0x1A4=0xF', '--', 'true')
    assert (status, err) == (0, '')
    assert seen[2, MISC_ENABLE] == TURBO_OFF | 1
    assert seen[2, PREFETCHERS] == 0xF
    assert [node.register(MISC_ENABLE, cpu) for cpu in range(4)] == [1] * 4
    assert node.register(PREFETCHERS) == 0


def test_only_on_some_cpus(run):
    _status, _err, seen = run('--set', TURBO, '--cpus', '1-2', '--', 'true')
    assert [seen[cpu, MISC_ENABLE] for cpu in range(4)] == [1, TURBO_OFF | 1, TURBO_OFF | 1, 1]


@pytest.mark.parametrize('script, status', [('exit 7', 7), ('kill -9 $$', 137), ('kill -15 $$', 143)])
def test_the_exit_status_is_that_of_the_command(node, run, script, status):
    assert run('--set', TURBO, '--', 'sh', '-c', script)[0] == status
    assert node.register(MISC_ENABLE) == 1


def test_the_exit_status_is_told_where_dead_children_are_ignored(run):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert run('--set', TURBO, '--', 'sh', '-c', 'exit 7')[0] == 7
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_what_comes_after_the_command_has_ended_is_sent_to_nobody(monkeypatch):
    """Its number may be another process's by then."""
    process = subprocess.Popen(['true'])
    process.wait()
    sent = []
    monkeypatch.setattr(os, 'kill', lambda *sending: sent.append(sending))
    run_module.pass_on(process, signal.SIGTERM)
    assert not sent


def test_says_what_is_changed(run):
    _status, err, _seen = run('--verbose', '--set', TURBO, '--', 'true')
    assert 'IA32_MISC_ENABLE' in err and 'TURBO_MODE_DISABLE 1' in err and 'on CPU 0-3' in err


@pytest.mark.parametrize(
    'arguments, words',
    [
        (['--set', TURBO], 'There is no command to run'),
        (['--set', TURBO, '--'], 'There is no command to run'),
        (['--set', 'MISC_ENABLE', '--', 'true'], 'is not REGISTER=VALUE'),
        (['--set', 'MISC_ENABEL.TURBO=1', '--', 'true'], 'Did you mean IA32_MISC_ENABLE'),
        (['--set', 'MISC_ENABLE.TURBO=1', '--', 'true'], 'TURBO_MODE_DISABLE'),
        (['--set', 'MISC_ENABLE.FAST_STRINGS_ENABLE=0', '--', 'true'], 'cannot be written'),
        (['--set', '0x610=1', '--', 'true'], 'is not on the active approved list'),
        (['--set', TURBO, '--cpus', '7', '--', 'true'], 'CPU 7 is not online'),
        (['--set', TURBO, '--set', 'MISC_ENABLE.TURBO_MODE_DISABLE=off', '--', 'true'], 'different values'),
    ],
)
def test_what_cannot_be_had_does_not_start_the_command(node, run, arguments, words):
    status, err, seen = run(*arguments)
    assert status == 1
    assert words in err
    assert not seen
    assert node.register(MISC_ENABLE) == 1


def test_a_register_that_takes_no_value_does_not_start_the_command(node, run):
    node.stuck.add(PREFETCHERS)
    status, err, seen = run('--set', TURBO, '--set', '0x1A4=1', '--', 'true')
    assert (status, seen) == (1, {})
    assert 'the register did not take the value' in err and 'was not started' in err
    assert node.register(MISC_ENABLE) == 1


def test_what_another_lease_has_changed_does_not_start_the_command(node, run):
    node.leased.add((2, MISC_ENABLE))
    status, err, seen = run('--set', TURBO, '--set', '0x1A4=1', '--', 'true')
    assert (status, seen) == (1, {})
    assert 'IA32_MISC_ENABLE on CPU 2: another lease has changed these bits' in err and 'was not started' in err
    assert [node.register(MISC_ENABLE, cpu) for cpu in range(4)] == [1] * 4
    assert node.register(PREFETCHERS) == 0


def test_a_module_without_leases_is_named(node, run):
    node.keeps_leases = False
    status, err, seen = run('--set', TURBO, '--', 'true')
    assert (status, seen) == (1, {})
    assert 'keeps no leases' in err and 'Apply the role' in err


def test_a_list_that_only_root_may_read_is_asked_of_the_batch(node, run, monkeypatch):
    monkeypatch.setattr(type(node.machine), 'is_readable', lambda _self, _path: False)
    assert run('--set', TURBO, '--', 'true')[0] == 0
    status, err, _seen = run('--set', '0x610=1', '--', 'true')
    assert (status, 'is not on the active approved list' in err) == (1, True)
    assert 'cannot be written' in run('--set', 'MISC_ENABLE.FAST_STRINGS_ENABLE=0', '--', 'true')[1]


def test_what_is_sent_to_us_goes_to_the_command(run):
    def soon():
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGUSR1)

    sender = threading.Thread(target=soon)
    sender.start()
    script = 'import signal, sys, time; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(5)); time.sleep(20)'
    assert run('--set', TURBO, '--', sys.executable, '-c', script)[0] == 5
    sender.join()


def test_a_command_whose_parent_is_gone_already_does_not_start():
    """Killed between the fork and the child's prctl: the lease has ended."""
    child = os.fork()
    if not child:
        run_module.end_with(os.getpid())
        os._exit(0)
    assert os.waitpid(child, 0)[1] >> 8 == 1


@pytest.mark.parametrize('program, words', [(['/no/such'], 'No such file'), (['/'], 'Permission denied')])
def test_a_command_that_cannot_be_run_is_said(program, words):
    with pytest.raises(run_module.MsrSafeError, match=words):
        run_module.start(program)
