# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The group that may use the devices as a boot finds it, which knows only those in a file."""

from .groups import entry_of, group_exists

# What udev takes it for, that early: one of the system, one of users, or nothing
OF_SYSTEM, OF_USERS, ELSEWHERE = 'of the system', 'of users', 'elsewhere'

# The highest number of a system group, by which udev goes (SYSTEM_GID_MAX of systemd, as it is built by default)
LAST_OF_SYSTEM = 999


def group_at_boot(machine, name):
    """Return what a group is to udev at boot, which then knows only those in a file; None where there is none."""
    number = ''.join(entry_of(machine, name)[2:3])
    if not number.isdigit():
        return ELSEWHERE if group_exists(machine, name) else None
    return OF_SYSTEM if int(number) <= LAST_OF_SYSTEM else OF_USERS


def describe_group(name, at_boot):
    """Return what a boot would do to who may use the devices, a sentence in a list, [] if nothing."""
    if at_boot == ELSEWHERE:
        return [
            'The group %s is not in /etc/group: when the node boots, udev does not know it, and the devices stay '
            "root's. Name a group of the node itself in msr_safe_group, or have this one in /etc/group, too." % name
        ]
    if at_boot == OF_USERS:
        return [
            'The group %s has a number above %d, so it is none of the system: udev of systemd 258 and 259 passes it '
            "over, and the devices stay root's; others take it. There, name a system group in msr_safe_group."
            % (name, LAST_OF_SYSTEM)
        ]
    return []
