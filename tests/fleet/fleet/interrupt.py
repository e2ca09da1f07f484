# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals that ask us to end, turned into an exception, so that every `finally` runs."""

import signal
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked us to end."""

    def __init__(self, number):
        super().__init__(f'ended by {signal.Signals(number).name}')
        self.exit_code = 128 + number


def raise_on_signals():
    """From now on a signal that asks us to end raises Interrupted in the main thread."""
    for number in ENDING:
        signal.signal(number, _raise)


def _raise(number, _frame):
    raise Interrupted(number)


@contextmanager
def uninterrupted():
    """Let signals wait until the block is done. Start no lasting process within: it would inherit this."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
