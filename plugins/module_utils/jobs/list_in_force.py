# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The list in force while jobs are on the node, and when none is."""

import contextlib
import os

from ..access import operator
from ..errors import MsrSafeError
from ..hardware.devices import approved_list_device
from .bare_list import reading, unite
from .record import read_list_of


def put_in_force(machine, text):
    """Make a bare list the one in force, unless it is. Raises MsrSafeError; what was in force then still is."""
    if is_in_force(machine, text):
        return
    with contextlib.suppress(OSError):
        write_list(machine.path(approved_list_device(machine)), text.encode('ascii') or b'\n')
    if not is_in_force(machine, text):
        activate_carefully(machine, text)


def close_to_users(machine, text):
    """Let nobody write a register, and root read those of a bare list. Raises MsrSafeError.

    Others go on reading what they could; where root is not let past the list, they read what it does.
    """
    put_in_force(machine, reading(shown(machine) if operator.is_allowed(machine) else text))


def open_to_root(machine, text):
    """Let root write what a bare list opens; users, too, where root is not let past the list. Raises MsrSafeError."""
    if not operator.is_allowed(machine):
        put_in_force(machine, text)


def write_list(path, content):
    """Write a list to its device, which takes it when it is closed."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def is_in_force(machine, text):
    """Return whether the kernel shows this list."""
    return shown(machine).strip() == text.strip()


def shown(machine):
    """Return the bare list in force as the kernel shows it: comments, then a line for each register."""
    text = (machine.read(approved_list_device(machine)) or b'').decode('ascii', 'replace')
    while text.startswith('#'):
        text = text.partition('\n')[2]
    return text


def activate_carefully(machine, text):
    """Have a list in force where the kernel shows it in other words, or refuses it. Raises MsrSafeError."""
    from ..approved_lists.active import activate_list
    from ..approved_lists.approved_list import parse_entries

    activate_list(machine, parse_entries(text, 'the list'))


def put_jobs_in_force(machine, jobs, lists):
    """Have in force what the jobs on the node got, or the node's own list if there is none; return notes, texts.

    Counters that it lets be programmed count for users only then. Where that cannot be, or the kernel refuses the list,
    nothing is approved. Raises MsrSafeError.
    """
    text = unite([read_list_of(machine, job) for job in jobs]) if jobs else lists.own()[0]
    try:
        put_in_force(machine, text)
        return keep_counters_to_users(machine, text, lists.image)
    except MsrSafeError:
        put_in_force(machine, '')
        raise


def keep_counters_to_users(machine, text, image):
    """Make counters count for users only that the list in force lets be programmed; return notes, texts."""
    known = image.forbidden.get(text) if image else None
    if known is not None and (not known or image.has_none_of(machine, known)):
        return []
    from ..approved_lists.approved_list import parse_entries
    from ..approved_lists.counters import activate_for_users, programs_counters

    entries = parse_entries(text, 'the list')
    return activate_for_users(machine, entries) if programs_counters(entries) else []
