# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Alone at work on a node: of two runs, a nightly one and one by hand, the second waits for what the first carries out.

It is a flock(2) on a directory: nothing to create or to leave behind, also in an image, and the kernel drops it however
its holder ends. File systems that know no such locks (NFS) are changed without.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time

from ..access.lock import describe_holder, name_process
from ..errors import MsrSafeError

# Seconds that another run is waited for, which may compile or install packages, and between two attempts
PATIENCE = 900
INTERVAL = 0.5


@contextlib.contextmanager
def alone(machine, patience=PATIENCE):
    """Be the only one who changes a machine. Raises MsrSafeError, with who it is, where another goes on too long."""
    descriptor = os.open(place_of_lock(machine), os.O_RDONLY | os.O_DIRECTORY)
    try:
        if machine.runs:
            name_process(machine, 'msr_safe_apply')
        deadline = time.monotonic() + patience
        while is_taken(descriptor):
            if time.monotonic() >= deadline:
                raise MsrSafeError(
                    'Another run changes this node, for more than %g s now: %s.'
                    % (patience, describe_holder(machine, descriptor)),
                    'Run this again when that has ended.',
                )
            time.sleep(INTERVAL)
        yield
    finally:
        os.close(descriptor)


def place_of_lock(machine):
    """Return root's home, which no user can open, and so keep locked; where it is open to all, the root directory."""
    home = machine.place('/root')
    return home if home and os.path.isdir(home) and not os.stat(home).st_mode & stat.S_IRWXO else machine.path('/')


def is_taken(descriptor):
    """Take the lock; return whether another has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno == errno.EWOULDBLOCK
    return False
