# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Kernel lockdown: what it is set to, and whether registers may be written under it."""

STATE = '/sys/kernel/security/lockdown'
MODULE = '/sys/module/msr_safe'
HONOR = MODULE + '/parameters/honor_lockdown'


def read_lockdown(machine):
    """Return what the kernel says of its lockdown, ``none [integrity] confidentiality``, or None where it has none."""
    text = machine.read_text(STATE) or ''
    return text if '[integrity]' in text or '[confidentiality]' in text else None


def forbids_writes(machine):
    """Return whether it is certain that every write of a register is refused for lockdown (EPERM).

    The kernel's own msr driver refuses them, and our module unless it was loaded with honor_lockdown=0; what another
    module of its name does is not known.
    """
    if read_lockdown(machine) is None:
        return False
    return machine.read_text(HONOR) == 'Y' if machine.exists(MODULE) else True
