# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The lock of a node: who saves, restores or sets registers does so alone.

It is a flock(2) on the approved list's device, which every such program opens
anyway: no file to create or to leave behind, and the kernel drops it however
its holder ends.
"""

import contextlib
import errno
import fcntl
import os
import time

from ..errors import MsrSafeError
from ..hardware.devices import approved_list_device, open_device

# Seconds that others are waited for, and between two attempts.
PATIENCE = 30
INTERVAL = 0.05


@contextlib.contextmanager
def locked(machine, name, patience=PATIENCE):
    """Hold the lock, under a name by which others that wait find this process.

    Raises MsrSafeError, with the holder, where it was not free within
    ``patience`` seconds.
    """
    descriptor = open_device(machine, approved_list_device(machine), os.O_RDONLY)
    try:
        name_process(machine, name)
        wait_for(machine, descriptor, patience)
        yield
    finally:
        os.close(descriptor)


def wait_for(machine, descriptor, patience):
    deadline = time.monotonic() + patience
    while not take(descriptor):
        if time.monotonic() >= deadline:
            raise MsrSafeError(
                'The registers of this node are in use: %s holds the lock, for more than %g s now.'
                % (describe_holder(machine, descriptor), patience),
                'Wait until it is done, or give it longer (lock_timeout, --lock-timeout).',
            )
        time.sleep(INTERVAL)


def take(descriptor):
    """Return whether the lock could be taken."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise MsrSafeError("Cannot lock the approved list's device: %s." % error.strerror) from error
        return False


def describe_holder(machine, descriptor):
    """Return who holds the lock in words: ``msrsave (pid 4711)``."""
    status = os.fstat(descriptor)
    where = '%02x:%02x:%d' % (os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)
    for line in (machine.read_text('/proc/locks') or '').splitlines():
        fields = line.split()
        if fields[1:2] == ['FLOCK'] and where in fields:
            return '%s (pid %s)' % (machine.read_text('/proc/%s/comm' % fields[4]) or 'a process', fields[4])
    return 'another process'


def name_process(machine, name):
    """Let ps and describe_holder show a module under its name; to the kernel it is just a Python."""
    try:
        with open(machine.path('/proc/self/comm'), 'w') as stream:
            stream.write(name)
    except (IOError, OSError):
        pass  # It is a courtesy
