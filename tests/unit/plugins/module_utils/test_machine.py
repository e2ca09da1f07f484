# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import os
import stat

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils import machine as machine_module
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine


def failing(error):
    """Return a function that fails with an errno, whatever it is given."""

    def fail(*_arguments, **_keywords):
        raise OSError(error, os.strerror(error))

    return fail


def test_paths_are_below_the_root(node):
    assert node.machine.path('/etc/x') == node.root + '/etc/x'
    assert Machine().path('/etc/x') == '/etc/x'


def test_reads_a_file_or_none(node):
    node.put('/etc/x', b' \xff text \n')
    assert node.machine.read('/etc/x') == b' \xff text \n'
    assert node.machine.read_text('/etc/x') == '\ufffd text'
    assert node.machine.read('/etc/y') is None
    assert node.machine.read_text('/etc/y') is None
    assert node.machine.read('/etc/x/y') is None


def test_a_directory_cannot_be_read(node):
    with pytest.raises(MsrSafeError, match='/proc: Is a directory'):
        node.machine.read('/proc')


@pytest.fixture
def ordinary_user(monkeypatch):
    monkeypatch.setattr(machine_module.os, 'geteuid', lambda: 1000)


def test_what_may_not_be_read_asks_for_root(node, monkeypatch, ordinary_user):
    monkeypatch.setattr('builtins.open', failing(errno.EACCES))
    with pytest.raises(MsrSafeError, match=r'(?s)/etc/x: Permission denied.*Run as root') as caught:
        node.machine.read('/etc/x')
    assert 'become' in str(caught.value)


def test_what_may_not_be_written_asks_for_root(node, monkeypatch, ordinary_user):
    monkeypatch.setattr(machine_module.os, 'open', failing(errno.EACCES))
    with pytest.raises(MsrSafeError, match=r'(?s)Cannot write /etc/x: Permission denied.*become: true'):
        node.machine.write('/etc/x', b'')


def test_what_may_not_be_removed_asks_for_root(node, monkeypatch, ordinary_user):
    monkeypatch.setattr(machine_module.os, 'unlink', failing(errno.EPERM))
    with pytest.raises(MsrSafeError, match=r'(?s)Cannot remove /etc/x: .*become: true'):
        node.machine.remove('/etc/x')


def test_what_root_may_not_either_does_not_ask_for_root(node, monkeypatch):
    monkeypatch.setattr(machine_module.os, 'geteuid', lambda: 0)
    monkeypatch.setattr('builtins.open', failing(errno.EACCES))
    with pytest.raises(MsrSafeError) as caught:
        node.machine.read('/etc/x')
    assert 'root' not in str(caught.value)


@pytest.mark.parametrize('work', ['read', 'exists', 'read_text', 'remove', 'list'])
def test_a_path_with_a_null_character_is_an_error(node, work):
    with pytest.raises(MsrSafeError, match='is not a path'):
        getattr(node.machine, work)('/etc/a\0b')


def test_lists_a_directory(node):
    node.put('/d/b', '')
    node.put('/d/a', '')
    assert node.machine.list('/d') == ['a', 'b']
    assert node.machine.list('/none') == []
    assert node.machine.list('/d/a') == []


def test_writes_a_file_and_its_directories(node):
    node.machine.write('/new/dir/file', b'content', mode=0o600)
    assert node.get('/new/dir/file') == 'content'
    assert stat.S_IMODE(os.stat(node.path('/new/dir/file')).st_mode) == 0o600
    assert node.names('/new/dir') == ['file']


def test_replaces_a_file_whole(node):
    node.put('/d/file', 'a long text that was there')
    inode = os.stat(node.path('/d/file')).st_ino
    node.machine.write('/d/file', b'new')
    assert node.get('/d/file') == 'new'
    assert os.stat(node.path('/d/file')).st_ino != inode
    assert stat.S_IMODE(os.stat(node.path('/d/file')).st_mode) == 0o644


def test_writes_into_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Machine().write('out.json', b'{}')
    assert (tmp_path / 'out.json').read_text() == '{}'


@pytest.mark.parametrize('step', ['fsync', 'rename', 'fchmod'])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(node, monkeypatch, step):
    node.put('/d/file', 'old')
    monkeypatch.setattr(machine_module.os, step, failing(errno.ENOSPC))
    with pytest.raises(MsrSafeError, match='Cannot write /d/file: No space left on device'):
        node.machine.write('/d/file', b'new')
    monkeypatch.undo()
    assert node.get('/d/file') == 'old'
    assert node.names('/d') == ['file']


def test_content_is_on_disk_before_it_has_its_name(node, monkeypatch):
    steps = []
    monkeypatch.setattr(machine_module.os, 'fsync', lambda handle: steps.append('fsync'))
    rename = os.rename
    monkeypatch.setattr(machine_module.os, 'rename', lambda old, new: steps.append('rename') or rename(old, new))
    node.machine.write('/d/file', b'new')
    assert steps == ['fsync', 'rename', 'fsync']


@pytest.mark.parametrize('error', [errno.EROFS, errno.EACCES])
def test_a_directory_that_takes_no_files_says_why(node, monkeypatch, error):
    monkeypatch.setattr(machine_module.os, 'geteuid', lambda: 0)
    monkeypatch.setattr(machine_module.os, 'open', failing(error))
    with pytest.raises(MsrSafeError, match='Cannot write /etc/x: ' + os.strerror(error)) as caught:
        node.machine.write('/etc/x', b'')
    assert 'writable file system' in str(caught.value)


def test_a_file_in_the_place_of_a_directory_says_why(node):
    node.put('/d', '')
    with pytest.raises(MsrSafeError, match='Cannot write /d/file: '):
        node.machine.write('/d/file', b'')


def test_a_directory_in_the_place_of_a_file_says_why(node):
    node.put('/d/file/inner', '')
    with pytest.raises(MsrSafeError, match='Cannot write /d/file: '):
        node.machine.write('/d/file', b'')
    assert node.names('/d') == ['file']


def test_removes_a_file_if_it_is_there(node):
    node.put('/d/file', '')
    node.machine.remove('/d/file')
    node.machine.remove('/d/file')
    assert node.names('/d') == []


def test_what_cannot_be_removed_says_why(node):
    node.put('/d/file', '')
    with pytest.raises(MsrSafeError, match='Cannot remove /d: '):
        node.machine.remove('/d')


def test_a_command_returns_its_output(node):
    node.answers['depmod'] = (0, 'done\n')
    assert node.machine.command('depmod', '-a') == 'done\n'
    assert node.commands == [['depmod', '-a']]


def test_a_command_that_fails_says_what_it_said(node):
    node.answers['depmod'] = (2, 'depmod: no\n')
    with pytest.raises(MsrSafeError) as caught:
        node.machine.command('depmod', '-a')
    assert str(caught.value) == 'depmod -a failed (exit 2): depmod: no'


def test_a_directory_runs_no_commands(tmp_path):
    with pytest.raises(MsrSafeError, match='runs no commands'):
        Machine(str(tmp_path)).command('true')


def test_real_commands_run_in_plain_english():
    code, output = Machine().run(['sh', '-c', 'echo "$LC_ALL"; echo wrong >&2; exit 3'])
    assert (code, output) == (3, 'C\nwrong\n')


def test_commands_may_write_anything():
    assert Machine().run(['printf', r'\377'])[1] == '\ufffd'


def test_a_command_that_does_not_exist_is_no_traceback():
    code, output = Machine().run(['no-such-command'])
    assert code == 127
    assert output.startswith('no-such-command: No such file or directory')


def test_a_command_reads_nothing_from_our_input():
    assert Machine().run(['cat']) == (0, '')
