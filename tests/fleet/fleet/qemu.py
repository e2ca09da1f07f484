# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator of nodes: this machine's QEMU; on Debian 12 that of Debian 13, unpacked in the cache.

Before 8.1, QEMU without KVM may execute the wrong code where the guest's changes while several CPUs run, the more often
the busier the host; and Debian 13's starts processes with far less work.
"""

import functools
import hashlib
import os
import subprocess

from fleet import mirror
from fleet.bootstrap import bootstrap_as_ours
from fleet.cache import cache_directory, prune, unfinished
from fleet.host import require_programs, require_space
from fleet.lock import locked
from fleet.progress import say

PROGRAM = 'qemu-system-x86_64'
TOO_OLD, SUITE = 'bookworm', 'trixie'
OPTIONS = (
    '--variant=extract',
    '--include=qemu-system-x86',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
)
SPACE = 1 << 29  # bytes: the tree and its archive


def ready_qemu():
    """The command that begins each QEMU, list of str: $FLEET_QEMU, this machine's or the cache's. Raises FleetError."""
    program = os.environ.get('FLEET_QEMU') or PROGRAM
    if program == PROGRAM and mirror.host_release() == TOO_OLD:
        return _command_in(_ready_tree())
    require_programs(program)
    return [program]


@functools.cache
def version_of(command):
    """What a QEMU says of its version. command: tuple of str."""
    return subprocess.run([*command, '--version'], check=True, capture_output=True).stdout


def _command_in(tree):
    """Run by its own Debian's loader, with its own libraries."""
    libraries = tree / 'usr/lib/x86_64-linux-gnu'
    firmware = [argument for place in ('qemu', 'seabios') for argument in ('-L', str(tree / 'usr/share' / place))]
    loader = [str(libraries / 'ld-linux-x86-64.so.2'), '--library-path', str(libraries), '--argv0', PROGRAM]
    return [*loader, str(tree / 'usr/bin' / PROGRAM), *firmware]


def _ready_tree():
    """The tree with Debian 13's QEMU, from the cache or made now."""
    cache = cache_directory()
    digest = hashlib.sha256(repr((SUITE, OPTIONS)).encode()).hexdigest()[:12]
    directory = cache / f'qemu-{digest}'
    with locked(cache / 'qemu.lock', 'the emulator'):
        if not directory.exists():
            _unpack(directory)
        os.utime(directory)
        prune(cache.glob('qemu-*/'))
    return directory / 'tree'


def _unpack(directory):
    """Unpack beside and rename: an interrupted attempt leaves nothing."""
    say(f'qemu: unpacking that of Debian 13 ({SUITE}), once')
    require_space(directory.parent, SPACE)
    new = unfinished(directory)
    options = (*OPTIONS, *(f'--aptopt={option}' for option in mirror.options()))
    log = directory.parent / 'qemu.log'
    bootstrap_as_ours('qemu', options, SUITE, new / 'tree', mirror.without_updates(SUITE), log)
    new.rename(directory)
