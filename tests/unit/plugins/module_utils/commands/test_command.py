# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import io
import os
import subprocess
import sys

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands import command
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands.command import exit_status, say
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError


def failing(error):
    def fail(*_arguments):
        raise error

    return fail


def test_a_file_that_cannot_be_had_is_named(capsys, monkeypatch):
    monkeypatch.setattr('os.geteuid', lambda: 1000)
    assert exit_status('x', failing(PermissionError(13, 'Permission denied', '/etc/y'))) == 1
    assert capsys.readouterr().err == 'x: /etc/y: Permission denied. Run as root (in Ansible: become: true).\n'


def test_a_command_ends_with_its_own_status():
    assert exit_status('x', lambda status: status, 3) == 3


def test_an_error_is_said_with_its_remedy(capsys):
    assert exit_status('x', failing(MsrSafeError('It is wrong.', 'Do right.'))) == 1
    assert capsys.readouterr().err == 'x: It is wrong.\nDo right.\n'


def test_an_interrupt_is_no_traceback(capsys):
    assert exit_status('x', failing(KeyboardInterrupt())) == 130


SCRIPT = """
import sys
sys.path.insert(0, %r)
from package.commands.command import exit_status, say

def repeat(text):
    say(text * 100000)
    return 0

sys.exit(exit_status('x', repeat, %r))
"""


@pytest.fixture
def script(tmp_path):
    """A function that makes a command saying a text, as on a node, and returns how to run it."""

    def make(text):
        package = tmp_path / 'package'
        package.symlink_to(os.path.dirname(os.path.dirname(command.__file__)))
        path = tmp_path / 'script.py'
        path.write_text(SCRIPT % (str(tmp_path), text))
        return [sys.executable, '-I', '-B', str(path)]

    return make


def test_a_reader_that_has_gone_is_no_traceback(script):
    process = subprocess.Popen(script('line\n'), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(5)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (141, b'')


def test_a_full_disk_is_no_traceback(script):
    with open('/dev/full', 'wb') as full:
        process = subprocess.Popen(script('line\n'), stdout=full, stderr=subprocess.PIPE)
        said = process.communicate()[1].decode()
    assert process.returncode == 1
    assert 'Traceback' not in said
    assert 'No space left on device' in said


@pytest.mark.parametrize('locale', ['C', 'C.UTF-8', 'en_US.UTF-8', 'POSIX', ''])
def test_a_path_of_any_bytes_can_be_said(script, locale):
    environment = dict(os.environ, LC_ALL=locale)
    process = subprocess.Popen(
        script('/a\udcff\u2026\n'), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, said = process.communicate()
    assert (process.returncode, said) == (0, b'')
    assert out.startswith(b'/a')


@pytest.mark.parametrize(
    'encoding, said', [('ascii', b'/a\\udcff\\u2026\n'), ('utf-8', b'/a\\udcff\xe2\x80\xa6\n'), ('latin-1', None)]
)
def test_what_an_output_cannot_take_is_escaped(monkeypatch, encoding, said):
    output = io.TextIOWrapper(io.BytesIO(), encoding, 'strict')
    monkeypatch.setattr(sys, 'stdout', output)
    say('/a\udcff\u2026\n')
    output.flush()
    assert output.buffer.getvalue() == (said or b'/a\\udcff\\u2026\n')
