# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
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

    start = run_module.start

    def look_and_start(*program):
        seen.update(node.registers)
        return start(*program)

    monkeypatch.setattr(run_module, 'start', look_and_start)
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
    assert status == 125
    assert words in err
    assert not seen
    assert node.register(MISC_ENABLE) == 1


def test_a_register_that_takes_no_value_does_not_start_the_command(node, run):
    node.stuck.add(PREFETCHERS)
    status, err, seen = run('--set', TURBO, '--set', '0x1A4=1', '--', 'true')
    assert (status, seen) == (125, {})
    assert 'the register did not take the value' in err and 'was not started' in err
    assert node.register(MISC_ENABLE) == 1


def test_what_another_lease_has_changed_does_not_start_the_command(node, run):
    node.leased.add((2, MISC_ENABLE))
    status, err, seen = run('--set', TURBO, '--set', '0x1A4=1', '--', 'true')
    assert (status, seen) == (125, {})
    assert 'IA32_MISC_ENABLE on CPU 2: another lease has changed these bits' in err and 'was not started' in err
    assert [node.register(MISC_ENABLE, cpu) for cpu in range(4)] == [1] * 4
    assert node.register(PREFETCHERS) == 0


OTHER_BIT = 4


def begin_other(node):
    """Somebody else's lease changes another bit of the same register on all CPUs."""
    node.leases['other'] = [((cpu, PREFETCHERS), node.register(PREFETCHERS, cpu), OTHER_BIT) for cpu in range(4)]
    node.set_register(PREFETCHERS, node.register(PREFETCHERS) | OTHER_BIT)


def right_before_it_is_written(node, function):
    """Have a function run between the reading of registers and the writing under a lease."""
    node.before_batch = [lambda: None, lambda: function(node)]


def test_who_begins_with_other_bits_at_the_same_moment_is_not_in_the_way(node, run):
    """It ended in EBUSY: what is written has all bits of the register, as they were read."""
    right_before_it_is_written(node, begin_other)
    status, err, seen = run('--set', '0x1A4=1/1', '--', 'true')
    assert (status, err) == (0, '')
    assert [seen[cpu, PREFETCHERS] for cpu in range(4)] == [OTHER_BIT | 1] * 4
    assert [node.register(PREFETCHERS, cpu) for cpu in range(4)] == [OTHER_BIT] * 4


def test_who_ends_with_other_bits_at_the_same_moment_has_them_back(node, run):
    """They were set again, for as long as the command ran."""
    begin_other(node)
    right_before_it_is_written(node, lambda node: node.end_lease('other'))
    status, err, seen = run('--set', '0x1A4=1/1', '--', 'true')
    assert (status, err) == (0, '')
    assert [seen[cpu, PREFETCHERS] for cpu in range(4)] == [1] * 4
    assert [node.register(PREFETCHERS, cpu) for cpu in range(4)] == [0] * 4


def test_bits_that_change_all_the_time_are_named(node, run, monkeypatch):
    def change():
        node.set_register(PREFETCHERS, node.register(PREFETCHERS) ^ OTHER_BIT)

    monkeypatch.setattr(run_module, 'PAUSE', 0)
    node.before_batch = [change] * 1000
    status, err, seen = run('--set', '0x1A4=1/1', '--', 'true')
    assert (status, seen) == (125, {})
    assert 'others change 0x000001A4 MSR_MISC_FEATURE_CONTROL all the time' in err
    assert not node.leases and not node.register(PREFETCHERS) & 1


def test_a_module_without_leases_is_named(node, run):
    node.keeps_leases = False
    status, err, seen = run('--set', TURBO, '--', 'true')
    assert (status, seen) == (125, {})
    assert 'keeps no leases' in err and 'Apply the role' in err


def test_a_list_that_only_root_may_read_is_asked_of_the_batch(node, run, monkeypatch):
    monkeypatch.setattr(type(node.machine), 'is_readable', lambda _self, _path: False)
    assert run('--set', TURBO, '--', 'true')[0] == 0
    status, err, _seen = run('--set', '0x610=1', '--', 'true')
    assert (status, 'is not on the active approved list' in err) == (125, True)
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


@pytest.fixture
def programs(tmp_path):
    """A directory of files that are executed, or not."""

    def add(name, text, mode=0o755):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)

    add('plain', '#!/bin/sh\nexit 9\n', 0o644)
    add('bare', 'echo "$1" >"${0%/*}/said"\nexit 9\n')
    add('orphan', '#!/no/such/interpreter\n')
    (tmp_path / 'directory').mkdir()
    return tmp_path


@pytest.mark.parametrize(
    'command, status, words',
    [
        ('{0}/none', 127, 'Cannot run {0}/none: No such file or directory.'),
        ('frobnicate', 127, 'Cannot run frobnicate: no directory of PATH has such a command.'),
        ('', 127, 'no directory of PATH'),
        ('{0}/plain', 126, 'Cannot run {0}/plain: Permission denied.'),
        ('plain', 126, 'Cannot run {0}/plain: Permission denied.'),
        ('{0}/directory', 126, 'Permission denied'),
        ('{0}/plain/none', 127, 'No such file'),
    ],
)
def test_nothing_is_set_for_a_command_that_cannot_be_executed(node, run, programs, monkeypatch, command, status, words):
    """As env(1) ends, and timeout(1)."""
    monkeypatch.setenv('PATH', '/no/such/directory:%s' % programs)
    node.batches.clear()
    ended, err, _seen = run('--set', TURBO, '--', command.format(programs))
    assert (ended, words.format(programs) in err) == (status, True), err
    assert not node.batches


def test_a_script_whose_interpreter_is_missing_is_said_to_be(node, run, programs):
    status, err, seen = run('--set', TURBO, '--', str(programs / 'orphan'))
    assert (status, 'what its first line names (#!)' in err) == (127, True), err
    assert seen[0, MISC_ENABLE] == TURBO_OFF | 1
    assert node.register(MISC_ENABLE) == 1


@pytest.mark.parametrize('command', ['bare', '{}/bare'])
def test_a_script_without_a_first_line_is_run_by_the_shell(node, run, programs, monkeypatch, command):
    """execvp(3) does so, and with it env, nice and timeout."""
    monkeypatch.setenv('PATH', '%s:%s' % (programs, os.environ['PATH']))
    assert run('--set', TURBO, '--', command.format(programs), 'one word')[:2] == (9, '')
    assert (programs / 'said').read_text() == 'one word\n'
    assert node.register(MISC_ENABLE) == 1


def test_the_first_file_of_the_path_that_can_be_executed_is(run, programs, monkeypatch):
    (programs / 'directory' / 'plain').write_text('#!/bin/sh\nexit 8\n')
    (programs / 'directory' / 'plain').chmod(0o755)
    monkeypatch.setenv('PATH', '{0}:{0}/directory'.format(programs))
    assert run('--set', TURBO, '--', 'plain')[0] == 8


def test_arguments_that_are_too_long_are_said(node, run):
    status, err, _seen = run('--set', TURBO, '--', 'true', 'x' * (1 << 22))
    assert (status, 'Cannot run /' in err, 'too long' in err) == (126, True, True)
    assert node.register(MISC_ENABLE) == 1


def test_a_process_that_cannot_be_made_is_not_the_commands_fault(node, run, monkeypatch):
    def no_process(*_arguments, **_options):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(run_module.subprocess, 'Popen', no_process)
    status, err, _seen = run('--set', TURBO, '--', 'true')
    assert (status, 'Cannot start /' in err) == (125, True)
    assert node.register(MISC_ENABLE) == 1


def test_a_python_without_ctypes_is_named(node, run, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ctypes', None)
    status, err, _seen = run('--set', TURBO, '--', 'true')
    assert (status, 'module ctypes' in err) == (125, True)
    assert node.register(MISC_ENABLE) == 1


@pytest.mark.parametrize('arguments', [['--', 'true'], ['--set'], ['--sett', 'x', '--set', TURBO], ['-v']])
def test_a_wrong_command_line_ends_as_what_run_cannot_do(run, capsys, arguments):
    """2 may be the command's."""
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 125
    assert 'usage: msr-safe run' in capsys.readouterr().err
