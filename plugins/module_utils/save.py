# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Saving: a snapshot of the registers in force, put into a file."""

from .active_list import read_named_list
from .batch import read_registers
from .cpu import read_cpu
from .cpulist import parse_cpulist
from .errors import MsrSafeError
from .snapshot import build_snapshot, describe_node, parse_snapshot, render_snapshot, same_content


def take_snapshot(machine):
    """Return the snapshot of every writable register on every online CPU, read in one batch.

    Raises MsrSafeError where the devices are missing or the list has nothing to save.
    """
    cpu = read_cpu(machine)
    entries = read_named_list(machine)
    addresses = [entry.address for entry in entries if entry.mask]
    if not addresses:
        raise MsrSafeError(
            'The active approved list has no writable register: there is nothing to save.',
            'Activate a list (role hpc.msr_safe.msr_safe, or msr-safe load).',
        )
    values = read_registers(machine, addresses, parse_cpulist(cpu['online']))
    return build_snapshot(describe_node(machine, cpu), entries, values)


def plan_save(machine, path, snapshot):
    """Return (text of the file now or None, text it is to have); equal texts mean nothing to do.

    A snapshot that holds the same as the file, time aside, leaves the file
    alone. Raises MsrSafeError where ``path`` holds something that is not a
    snapshot: it would be lost.
    """
    before = machine.read_text(path)
    after = render_snapshot(snapshot)
    if before is None:
        return None, after
    try:
        saved = parse_snapshot(before, path)
    except MsrSafeError as error:
        raise MsrSafeError(
            error.problem + ' It is not overwritten.', 'Remove it first, or choose another path.'
        ) from error
    before += '\n'
    return (before, before) if same_content(saved, snapshot) else (before, after)


def save(machine, path, text):
    """Write a snapshot's text, readable by root only."""
    machine.write(path, text.encode('utf-8'), mode=0o600)
