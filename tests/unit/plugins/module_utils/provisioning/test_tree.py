# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import io
import os
import re
import stat
import zipfile

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import tree
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.tree import (
    digest_tree,
    pack_tree,
    read_packed,
    read_tree,
    unpack_tree,
)


def write_tree(directory, files):
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(directory)


def archive_of(files):
    return io.BytesIO(pack_tree(files))


FILES = {'main.c': b'int main;\n', 'probes/one.c': b'\x00\xff', 'Makefile': b''}


def test_reads_all_files_below_a_directory(tmp_path):
    assert read_tree(write_tree(tmp_path / 'tree', FILES)) == FILES


def test_leaves_out_hidden_files_and_caches(tmp_path):
    others = {'.git/config': b'', '.hidden': b'', '__pycache__/a.pyc': b'', 'deep/__pycache__/b.pyc': b''}
    assert read_tree(write_tree(tmp_path / 'tree', dict(FILES, **others))) == FILES


def test_keeps_only_some_suffixes(tmp_path):
    directory = write_tree(tmp_path / 'tree', dict(FILES, **{'main.o': b'', 'module.ko': b''}))
    assert sorted(read_tree(directory, ('.c', 'Makefile'))) == ['Makefile', 'main.c', 'probes/one.c']


def test_a_missing_directory_is_the_empty_tree(tmp_path):
    assert read_tree(str(tmp_path / 'none')) == {}


def test_what_is_no_file_is_left_out(tmp_path):
    directory = write_tree(tmp_path / 'tree', FILES)
    os.symlink('nowhere', directory + '/dangling')
    os.mkfifo(directory + '/fifo')
    assert read_tree(directory) == FILES


def test_names_may_have_any_bytes(tmp_path):
    directory = write_tree(tmp_path / 'tree', {})
    os.mkdir(directory)
    with open(os.path.join(os.fsencode(directory), b'\xff'), 'wb'):
        pass
    assert len(digest_tree(read_tree(directory))) == 64


def test_the_digest_does_not_depend_on_order():
    assert digest_tree({'a': b'1', 'b': b'2'}) == digest_tree({'b': b'2', 'a': b'1'})


@pytest.mark.parametrize(
    'other',
    [
        {},
        {'a': b'1'},
        {'a': b'2', 'b': b'1'},
        {'a': b'1', 'c': b'2'},
        {'a': b'1', 'b': b'2', 'c': b''},
        {'a': b'1b 1\n2'},
        {'a': b'1b2'},
        {'a': b'', 'b': b'12'},
    ],
)
def test_the_digest_sees_names_and_contents(other):
    assert digest_tree(other) != digest_tree({'a': b'1', 'b': b'2'})


def test_unpacks_what_was_packed(tmp_path):
    unpack_tree(archive_of(FILES), str(tmp_path / 'new' / 'tree'))
    assert read_tree(str(tmp_path / 'new' / 'tree')) == FILES


def test_unpacking_leaves_exactly_the_tree(tmp_path):
    directory = write_tree(tmp_path / 'tree', {'old.c': b'', 'main.c': b'old', 'probes/old.c': b''})
    unpack_tree(archive_of(FILES), directory)
    assert read_tree(directory) == FILES
    assert os.listdir(str(tmp_path)) == ['tree']


def test_what_an_unpacking_that_was_killed_left_is_taken_away(tmp_path):
    write_tree(tmp_path / '.tree.x1y2z3', {'main.c': b'half of it'})
    write_tree(tmp_path / '.tree.x1y2z3.old', {'main.c': b'what was before'})
    unpack_tree(archive_of(FILES), str(tmp_path / 'tree'))
    assert os.listdir(str(tmp_path)) == ['tree']


def test_a_full_disk_is_said_with_the_place(tmp_path, monkeypatch):
    directory = write_tree(tmp_path / 'tree', {'old.c': b'old'})

    def full(*dummy):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zipfile.ZipFile, 'extractall', full)
    with pytest.raises(MsrSafeError, match='Cannot write %s: No space left on device' % re.escape(directory)):
        unpack_tree(archive_of(FILES), directory)
    assert read_tree(directory) == {'old.c': b'old'}
    assert os.listdir(str(tmp_path)) == ['tree']


def test_everyone_may_read_what_is_unpacked(tmp_path):
    umask = os.umask(0o077)
    try:
        unpack_tree(archive_of(FILES), str(tmp_path / 'tree'))
    finally:
        os.umask(umask)
    modes = {name: stat.S_IMODE(os.stat(str(tmp_path / 'tree' / name)).st_mode) for name in ('', 'probes', 'main.c')}
    assert modes == {'': 0o755, 'probes': 0o755, 'main.c': 0o644}


@pytest.mark.parametrize('content', [b'', b'not a zip file', pack_tree(FILES)[:-30]], ids=['none', 'no zip', 'cut'])
def test_a_damaged_archive_leaves_the_old_tree(tmp_path, content):
    directory = write_tree(tmp_path / 'tree', {'old.c': b'old'})
    with pytest.raises(zipfile.BadZipfile):
        unpack_tree(io.BytesIO(content), directory)
    assert read_tree(directory) == {'old.c': b'old'}
    assert os.listdir(str(tmp_path)) == ['tree']


@pytest.mark.parametrize('failing', [1, 2])
def test_a_rename_that_fails_leaves_the_old_tree(tmp_path, monkeypatch, failing):
    directory = write_tree(tmp_path / 'tree', {'old.c': b'old'})
    rename, calls = os.rename, []

    def fail_once(old, new):
        calls.append((old, new))
        if len(calls) == failing:
            raise OSError(5, 'Input/output error')
        rename(old, new)

    monkeypatch.setattr(tree.os, 'rename', fail_once)
    with pytest.raises(OSError):
        unpack_tree(archive_of(FILES), directory)
    assert read_tree(directory) == {'old.c': b'old'}
    assert os.listdir(str(tmp_path)) == ['tree']


def test_reads_what_was_packed(tmp_path):
    (tmp_path / 'packed').write_bytes(pack_tree(FILES))
    assert read_packed(str(tmp_path / 'packed')) == FILES


@pytest.mark.parametrize('content', [None, b'', b'PK\x03\x04 and no more'])
def test_what_arrives_damaged_is_said(tmp_path, content):
    path = tmp_path / 'packed'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MsrSafeError, match=r'(?s)packed.*Run this again'):
        read_packed(str(path))
