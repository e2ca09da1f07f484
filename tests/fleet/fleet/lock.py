# SPDX-License-Identifier: GPL-3.0-or-later
"""An exclusive lock that ends with its process."""

import fcntl
from contextlib import contextmanager

from fleet.progress import say


@contextmanager
def locked(path, what):
    """Hold the lock file `path`; while somebody else does, say that we wait for `what`."""
    with path.open('w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f'waiting for {what}, which another process holds')
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
