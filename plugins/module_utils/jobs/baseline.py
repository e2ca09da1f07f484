# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The baseline: what the registers of a node hold while no job runs, kept over reboots."""

import contextlib

from ..access.lock import locked
from ..approved_lists.active import activate_list
from ..layout import STATE
from .msrsave_command import restore_registers, save_registers
from .profile import activate_profile, is_writable, read_profile_list, unite

BASELINE = STATE + '/baseline'


def save_baseline(machine, settings):
    """Make what the registers hold now the baseline. Where no job can write, there is none to keep."""
    with every_register(machine, settings) as entries:
        if is_writable(entries):
            save_registers(machine, settings.msrsave, BASELINE)


def restore_baseline(machine, settings):
    """Bring the registers back to the baseline; return what was written, a line each. Raises MsrSafeError.

    The lists may let less be written than when it was saved: that is what their administrator wanted.
    """
    with every_register(machine, settings):
        return restore_registers(machine, settings.msrsave, BASELINE, '--accept', 'narrower-list')


@contextlib.contextmanager
def every_register(machine, settings):
    """Have all that the node's list or a profile approves in force meanwhile: what any job could have changed."""
    entries = unite(read_profile_list(machine, name) for name in ('', *settings.profiles))
    with locked(machine, 'msr-job'):
        activate_list(machine, entries)
    try:
        yield entries
    finally:
        activate_profile(machine, '')
