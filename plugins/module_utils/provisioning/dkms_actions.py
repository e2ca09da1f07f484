# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The actions by which DKMS builds the module, beside those of actions.py."""

import io
import os
import shutil

from ..errors import MsrSafeError
from .actions import MODULE_SOURCE, action, first_error
from .dkms import CONFIGURATION, NAME, PROGRAM, built_log, read_builds, source_directory
from .tree import unpack_tree


@action(payload=MODULE_SOURCE)
def give_source_to_dkms(machine, change, payload):
    """Put the source where DKMS looks for it, and have it known. What was built of another source is taken away."""
    version = change['version']
    forget(machine, version)
    unpack_tree(io.BytesIO(payload), machine.path(source_directory(version)))
    machine.write('%s/%s' % (source_directory(version), CONFIGURATION), change['content'].encode('utf-8'))
    machine.command('dkms', 'add', '-m', NAME, '-v', version)


@action()
def build_with_dkms(machine, change, _payload):
    require_dkms(machine, 'build', change)


@action()
def install_with_dkms(machine, change, _payload):
    """Install what was built, also where another file is in its place."""
    require_dkms(machine, 'install', change)


def require_dkms(machine, verb, change):
    """Have DKMS do something for a version and a kernel. Raises MsrSafeError, with the compiler's first error."""
    version, release = change['version'], change['kernel_release']
    code, output = machine.run(['dkms', verb, '-m', NAME, '-v', version, '-k', release, '--force'])
    if code == 0:
        return
    log = machine.read_text(built_log(version)) or ''
    raise MsrSafeError(
        'DKMS does not %s the module for kernel %s: %s'
        % (verb, release, first_error(log if verb == 'build' and log else output)),
        'What the compiler said is in %s, and `dkms status` says what there is.' % built_log(version),
    )


@action()
def take_source_from_dkms(machine, change, _payload):
    """Take away what DKMS built of a version, for all kernels, and its source."""
    forget(machine, change['version'])
    directory = machine.path(change['path'])
    if os.path.isdir(directory):
        shutil.rmtree(directory)


def forget(machine, version):
    """Have DKMS uninstall and forget a version, where it knows it."""
    if machine.exists(PROGRAM) and version in read_builds(machine):
        machine.command('dkms', 'remove', '-m', NAME, '-v', version, '--all')
