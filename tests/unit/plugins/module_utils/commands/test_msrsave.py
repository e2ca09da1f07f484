# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands.msrsave import main
from ansible_collections.hpc.msr_safe.plugins.module_utils.version import VERSION
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    COUNTER,
    MILAN,
    MISC_ENABLE,
    TURBO_OFF,
)

FILE = '/var/lib/site/clean'


@pytest.fixture
def msrsave(node, capsys):
    """A function that runs the command on the node and returns (exit status, stdout, stderr)."""

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main(list(arguments), node.machine)
        except SystemExit as end:  # argparse
            status = end.code
        said = capsys.readouterr()
        assert 'Traceback' not in said.err
        return status, said.out, said.err

    return run


@pytest.fixture
def saved(node, msrsave):
    assert msrsave(FILE)[0] == 0
    return node


def test_version(msrsave):
    assert msrsave('--version') == (0, 'msrsave %s\n' % VERSION, '')


def test_help_has_examples_and_every_exit_status(msrsave):
    status, out, _err = msrsave('--help')
    assert status == 0
    for words in ('usage: msrsave', 'msrsave -r', '--dry-run', 'exit status', '  0  ', '  1  ', '  2  ', '  3  '):
        assert words in out


@pytest.mark.parametrize(
    'arguments',
    [[], ['a', 'b'], ['--no-such', FILE], ['-r'], ['-r', FILE, '--accept', 'all'], ['-r', FILE, '--accept']],
)
def test_a_wrong_command_line_is_2(msrsave, arguments):
    status, out, err = msrsave(*arguments)
    assert (status, out) == (2, '')
    assert err.startswith('usage: msrsave')


def test_saves(node, msrsave):
    assert msrsave(FILE) == (0, FILE + ': 4 registers of CPUs 0-3 saved\n', '')
    assert '"format": "hpc.msr_safe snapshot"' in node.get(FILE)


def test_saving_again_says_unchanged(saved, msrsave):
    assert msrsave(FILE) == (0, FILE + ': 4 registers of CPUs 0-3 unchanged\n', '')


def test_a_dry_run_saves_nothing(node, msrsave):
    assert msrsave('-n', FILE) == (0, FILE + ': 4 registers of CPUs 0-3 would be saved\n', '')
    assert not node.has(FILE)


def test_what_could_not_be_saved_is_said(node, msrsave):
    node.faults.add((2, MISC_ENABLE))
    status, _out, err = msrsave(FILE)
    assert status == 3
    assert '0x000001A0 IA32_MISC_ENABLE on CPU 2: the processor faulted' in err


def test_restores_what_differs_and_says_so(saved, msrsave):
    saved.set_register(MISC_ENABLE, TURBO_OFF, cpus=[1, 3])
    line = '0x000001A0 IA32_MISC_ENABLE  0x0000004000000000 -> 0x0000000000000000  on CPU 1,3\n'
    assert msrsave('-r', FILE) == (0, line, '')
    assert saved.register(MISC_ENABLE, 3) == 0


def test_restoring_twice_says_there_is_nothing_to_do(saved, msrsave):
    saved.set_register(MISC_ENABLE, TURBO_OFF)
    msrsave('-r', FILE)
    assert msrsave('--restore', FILE) == (0, FILE + ': every register holds what was saved\n', '')


@pytest.mark.parametrize(
    'active, words',
    [
        ('0x000001A4 0xF\n', 'what the active list lets be written holds what was saved (1 register)'),
        ('', 'nothing was compared: no register that is selected may be written'),
    ],
)
def test_what_a_narrower_list_leaves_out_is_not_said_to_be_as_saved(saved, msrsave, active, words):
    saved.activate(active)
    saved.set_register(MISC_ENABLE, TURBO_OFF)
    assert msrsave('-r', '--accept', 'narrower-list', FILE) == (0, '%s: %s\n' % (FILE, words), '')


def test_a_dry_run_restores_nothing(saved, msrsave):
    saved.set_register(MISC_ENABLE, TURBO_OFF, cpus=[0])
    status, out, err = msrsave('-r', '-n', FILE)
    assert (status, err) == (0, '')
    assert 'IA32_MISC_ENABLE' in out
    assert saved.register(MISC_ENABLE) == TURBO_OFF


@pytest.mark.parametrize('dry', [[], ['-n'], ['--json']])
def test_the_snapshot_of_another_host_is_said_to_be(saved, msrsave, dry):
    saved.set_register(MISC_ENABLE, TURBO_OFF, cpus=[0])
    saved.put('/proc/sys/kernel/hostname', 'n2\n')
    status, out, err = msrsave('-r', *dry, FILE)
    assert status == 0 and 'IA32_MISC_ENABLE' in out
    assert err.startswith('msrsave: warning: The snapshot is of host n1, and this is n2.')
    assert saved.register(MISC_ENABLE) == (TURBO_OFF if dry == ['-n'] else 0)


@pytest.mark.parametrize('name', ['n1', 'n1.cluster.example', ''])
def test_a_name_with_or_without_its_domain_is_the_same(saved, msrsave, name):
    saved.put('/proc/sys/kernel/hostname', name + '\n')
    assert msrsave('-r', FILE)[2] == ''


def test_another_host_whose_name_begins_so_is_another(saved, msrsave):
    saved.put('/proc/sys/kernel/hostname', 'n10\n')
    assert 'of host n1, and this is n10' in msrsave('-r', FILE)[2]


def test_counters_are_restored_when_asked(saved, msrsave):
    saved.set_register(COUNTER, 5)
    assert 'every register holds' in msrsave('-r', FILE)[1]
    assert 'IA32_PMC0' in msrsave('-r', '--kind', 'counter', FILE)[1]
    assert saved.register(COUNTER) == 0


def test_what_was_not_restored_is_said(saved, msrsave):
    saved.set_register(MISC_ENABLE, TURBO_OFF, cpus=[0, 1])
    saved.stuck.add(MISC_ENABLE)
    status, _out, err = msrsave('-r', FILE)
    assert status == 3
    assert err.startswith('msrsave: not restored:\n')
    assert '0x000001A0 IA32_MISC_ENABLE on CPU 0-1: the register did not take the value' in err


def test_an_offline_cpu_is_never_all_is_well(saved, msrsave):
    saved.set_online('0-2')
    status, out, err = msrsave('-r', FILE)
    assert (status, out) == (3, '')
    assert 'on CPU 3: CPU is offline' in err
    assert msrsave('-r', '-n', FILE)[0] == 3


@pytest.mark.parametrize(
    'spoil, switch',
    [
        (lambda node: node.describe_cpu(*MILAN), 'other-cpu'),
        (lambda node: node.put(FILE, node.get(FILE).replace('"n1"', '"n2"')), 'edited-file'),
        (lambda node: node.activate('0x1A0 0x4000000000\n'), 'narrower-list'),
    ],
)
def test_what_does_not_fit_is_refused_unless_accepted(saved, msrsave, spoil, switch):
    spoil(saved)
    saved.set_register(MISC_ENABLE, TURBO_OFF)
    status, out, err = msrsave('-r', FILE)
    assert (status, out) == (1, '')
    assert err.startswith('msrsave: ')
    assert switch in err.replace('_', '-')
    assert saved.register(MISC_ENABLE) == TURBO_OFF
    assert msrsave('-r', FILE, '--accept', switch)[0] == 0
    assert saved.register(MISC_ENABLE) == 0


@pytest.mark.parametrize(
    'content',
    ['', 'x', '{}', '[1]', 'null', '{"format": "hpc.msr_safe snapshot"}', b'\xff\x00', '[' * 99999],
)
def test_no_file_content_is_a_traceback(node, msrsave, content):
    node.put(FILE, content)
    for arguments in ([FILE], ['-r', FILE], ['-r', FILE, '--accept', 'edited-file']):
        status, out, err = msrsave(*arguments)
        assert (status, out) == (1, '')
        assert FILE in err


@pytest.mark.parametrize('path', ['/proc', '/proc/cpuinfo/x', '', '/none/x', '/' + 'x' * 300])
def test_no_path_is_a_traceback(node, msrsave, path):
    status, _out, err = msrsave('-r', path)
    assert status == 1
    assert err.startswith('msrsave: ')
    if path != '/none/x':
        msrsave(path)


def test_without_the_module_it_says_what_to_do(node, msrsave):
    node.remove('/dev/cpu/msr_approved_list')
    status, out, err = msrsave(FILE)
    assert (status, out) == (1, '')
    assert 'no msr-safe kernel module is loaded' in err
    assert 'systemctl start msr-safe' in err


def test_without_the_batch_device_it_says_what_to_do(saved, msrsave):
    saved.remove('/dev/cpu/msr_batch')
    for arguments in ([FILE], ['-r', FILE]):
        status, out, err = msrsave(*arguments)
        assert (status, out) == (1, '')
        assert '/dev/cpu/msr_batch is missing' in err


def test_without_root_it_says_so(saved, msrsave, monkeypatch):
    real = os.open

    def refuse(path, *arguments):
        if str(path).endswith('msr_batch'):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *arguments)

    monkeypatch.setattr(os, 'open', refuse)
    status, _out, err = msrsave('-r', FILE)
    assert status == 1
    assert 'Run as root' in err
