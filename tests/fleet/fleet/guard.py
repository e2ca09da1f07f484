# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet that cannot outlive us."""

import os
from contextlib import contextmanager

from fleet.interrupt import uninterrupted


@contextmanager
def down_at_our_end(fleet):
    """Take the fleet down after the block; should we be killed outright, a child of ours does it."""
    end, our_life = os.pipe()
    if os.fork() == 0:
        try:
            with uninterrupted():
                os.setsid()
                os.close(our_life)
                os.read(end, 1)  # returns when our parent closes the other end, or is no more
                fleet.down()
        finally:
            os._exit(0)
    os.close(end)
    try:
        yield
    finally:
        fleet.down()
        os.close(our_life)
