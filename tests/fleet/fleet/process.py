# SPDX-License-Identifier: GPL-3.0-or-later
"""A running process, known by an argument that no other process has."""

import os
import select
import signal
from contextlib import contextmanager, suppress
from pathlib import Path


def find_process(argument):
    """The id of the process that has this argument on its command line, or None."""
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit() and argument in _arguments(entry.name):
            return int(entry.name)
    return None


def kill_process(argument, number=signal.SIGKILL):
    """Send a signal to the process that has this argument and wait until it is gone. True if there was one."""
    pid = find_process(argument)
    if pid is None:
        return False
    with suppress(ProcessLookupError), _handle(pid) as handle:
        if argument in _arguments(pid):  # the handle is of this very process, whatever became of the id
            signal.pidfd_send_signal(handle, number)
            select.select([handle], [], [])
    return True


def _arguments(pid):
    try:
        return Path(f'/proc/{pid}/cmdline').read_text(errors='surrogateescape').split('\0')
    except OSError:
        return []


@contextmanager
def _handle(pid):
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)
