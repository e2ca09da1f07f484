# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The list in force while jobs are on the node, and when none is."""

from ..approved_lists.active import activate_list
from ..errors import MsrSafeError
from ..hardware.devices import approved_list_device
from .profile import read_node_list, read_profile_list, unite
from .record import read_list_of, read_records


def put_in_force(machine, entries):
    """Make a list the one in force, unless it is. Raises MsrSafeError; what was in force then still is."""
    if not is_in_force(machine, entries):
        activate_list(machine, entries)


def is_in_force(machine, entries):
    """Return whether the kernel's list reads as this one does: comments, then entries by address."""
    text = machine.read(approved_list_device(machine)) or b''
    lines = [line for line in text.split(b'\n') if line and not line.startswith(b'#')]
    wanted = ['0x%08X 0x%016X' % (entry.address, entry.mask) for entry in entries]
    return lines == '\n'.join(sorted(wanted)).encode('ascii').split(b'\n') if wanted else not lines


def put_jobs_in_force(machine, jobs):
    """Have in force what the jobs on the node got, or the node's own list if there is none.

    Where the kernel refuses it, nothing is approved. Raises MsrSafeError.
    """
    if jobs:
        lists = [read_list_of(machine, job) for job in jobs]
        entries = unite(each for each in lists if each)
    else:
        entries = read_node_list(machine)[0]
    try:
        put_in_force(machine, entries)
    except MsrSafeError:
        activate_list(machine, [])
        raise


def every_list(machine, settings):
    """Return the list that approves all that any job on this node could have changed.

    A profile whose list is missing or malformed adds nothing: no job can have it.
    """
    lists = []
    for name in ('', *settings.profiles):
        try:
            lists.append(read_profile_list(machine, name))
        except MsrSafeError:
            continue
    of_jobs = [read_list_of(machine, job) for job in read_records(machine)]
    return unite([*lists, *[entries for entries in of_jobs if entries]])
