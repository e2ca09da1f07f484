# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands.msr_safe import main
from ansible_collections.hpc.msr_safe.plugins.module_utils.version import VERSION
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import LIST


@pytest.fixture
def msr_safe(node, capsys):
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


def test_version(msr_safe):
    assert msr_safe('--version') == (0, 'msr-safe %s\n' % VERSION, '')


@pytest.mark.parametrize('arguments', [['--help'], ['load', '--help'], ['show', '--help']])
def test_help(msr_safe, arguments):
    status, out, _err = msr_safe(*arguments)
    assert status == 0
    assert out.startswith('usage: msr-safe')


@pytest.mark.parametrize('arguments', [['load'], ['unload'], ['show', 'x'], ['load', 'a', 'b']])
def test_a_wrong_command_line_is_2(msr_safe, arguments):
    status, out, err = msr_safe(*arguments)
    assert (status, out) == (2, '')
    assert err.startswith('usage: msr-safe')


def test_without_a_command_it_shows_its_help(msr_safe):
    assert msr_safe()[0] == 2


def test_shows_the_active_list_with_names(msr_safe):
    assert msr_safe('show') == (0, LIST, '')


def test_what_is_shown_can_be_loaded(node, msr_safe):
    node.put('/root/list', msr_safe('show')[1])
    node.activate('')
    assert msr_safe('load', '/root/list')[0] == 0
    assert msr_safe('show') == (0, LIST, '')


def test_loads_a_list(node, msr_safe):
    node.put('/root/list', '0x1A4 0xF # MSR_MISC_FEATURE_CONTROL\n')
    status, out, err = msr_safe('load', '/root/list')
    assert (status, err) == (0, '')
    assert out.startswith('/root/list: 1 registers approved (sha256 ')
    assert node.active() == {0x1A4: 0xF}


@pytest.mark.parametrize(
    'content, words',
    [
        ('0x10 0x0\n0x10\n', '/root/list:2: expected an address and a write mask'),
        ('0x10 0x0\n0x10 0x1\n', '/root/list:2: register 0x00000010 is already on line 1'),
        ('0x100000000 0x0\n', '/root/list:1: address 0x100000000 is wider than 32 bits'),
        ('# nothing\n', '/root/list: the list has comments but no register'),
        (b'\xff\xfe', '/root/list:1: '),
    ],
)
def test_a_list_that_is_wrong_leaves_the_old_one(node, msr_safe, content, words):
    before = node.active()
    node.put('/root/list', content)
    status, out, err = msr_safe('load', '/root/list')
    assert (status, out) == (1, '')
    assert err.startswith('msr-safe: ' + words)
    assert node.active() == before


@pytest.mark.parametrize('path', ['/none', '/proc', '', '/proc/cpuinfo/x', '/' + 'x' * 300])
def test_no_path_is_a_traceback(msr_safe, path):
    status, out, err = msr_safe('load', path)
    assert (status, out) == (1, '')
    assert err.startswith('msr-safe: ')


def test_a_list_that_the_kernel_refuses(node, msr_safe):
    node.put('/root/list', '0x10 0x0\n')
    node.list_device.refusal = errno.ENOMEM
    status, _out, err = msr_safe('load', '/root/list')
    assert status == 1
    assert 'The list that was active still is' in err


def test_without_root_it_says_so(node, msr_safe):
    node.put('/root/list', '0x10 0x0\n')
    node.list_device.refusal = errno.EACCES
    status, _out, err = msr_safe('load', '/root/list')
    assert status == 1
    assert 'Run as root' in err


@pytest.mark.parametrize('arguments', [['show'], ['load', '/root/list']])
def test_without_the_module_it_says_what_to_do(node, msr_safe, arguments):
    node.put('/root/list', '0x10 0x0\n')
    node.remove('/dev/cpu/msr_approved_list')
    status, out, err = msr_safe(*arguments)
    assert (status, out) == (1, '')
    assert 'no msr-safe kernel module is loaded' in err
