# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import os
import subprocess
import sys

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils import layout
from ansible_collections.hpc.msr_safe.plugins.module_utils.version import VERSION


def test_paths_carry_the_kernel_release():
    assert layout.built_module('6.1.0-18-amd64') == '/var/lib/msr-safe/6.1.0-18-amd64/msr-safe.ko'
    assert layout.installed_module('6.1.0-18-amd64') == '/lib/modules/6.1.0-18-amd64/updates/msr-safe.ko'
    assert layout.built_module('6.1.0-18-amd64', '/srv/built') == '/srv/built/6.1.0-18-amd64/msr-safe.ko'


@pytest.mark.parametrize('path, command', sorted(layout.COMMANDS.items()))
def test_commands_run_from_the_installed_library_only(tmp_path, monkeypatch, path, command):
    """The script, with the library where it is installed, in a directory and environment that mislead."""
    package = tmp_path / 'lib' / 'hpc_msr_safe'
    package.parent.mkdir()
    library = os.path.dirname(layout.__file__)
    package.symlink_to(library)
    monkeypatch.setattr(layout, 'LIBRARY', str(package.parent))
    script = tmp_path / 'script'
    text = layout.command_text(command)
    assert text.startswith('#!/usr/bin/python3 -IS\n')
    script.write_text(text)
    (tmp_path / 'argparse.py').write_text('raise SystemExit("the wrong argparse")')
    process = subprocess.Popen(
        [sys.executable, '-IS', str(script), '--version'],
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHONPATH=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output = process.communicate()[0].decode()
    assert (process.returncode, output) == (0, '%s %s\n' % (os.path.basename(path), VERSION))
