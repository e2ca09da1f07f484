# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Saving: a snapshot of the registers in force, put into a file."""

import os

from ..access.registers import read_registers
from ..approved_lists.active import read_named_list
from ..errors import MsrSafeError
from ..hardware.cpu import read_cpu, select_cpus
from ..machine import remove_leftovers
from .selection import EVERYTHING, asks_for_moving, select_entries
from .snapshot import build_snapshot, describe_node, parse_snapshot, render_snapshot, same_content


def take_snapshot(machine, selection=EVERYTHING, registers=None):
    """Return the snapshot of the selected registers, by default of all that are writable, on every online CPU.

    registers: Registers that give names and kinds to those that the node's own
    list does not name. Raises MsrSafeError where the devices are missing or
    there is nothing to save.
    """
    cpu, cpus = read_cpu(machine), select_cpus(machine, selection.cpus)
    entries = read_named_list(machine)
    entries = registers.complete(entries) if registers else entries
    selected = select_entries(entries, selection, 'the active approved list')
    if not selected:
        raise MsrSafeError(
            'There is nothing to save: the active approved list has no writable register of the kinds %s.'
            % ', '.join(selection.kinds),
            'Activate a list (role hpc.msr_safe.msr_safe, or msr-safe load), or select more.',
        )
    readings = read_registers(machine, [entry.address for entry in selected], cpus)
    return build_snapshot(describe_node(machine, cpu), entries, cpus, readings)


def plan_save(machine, path, snapshot, overwrite=False, selection=EVERYTHING):
    """Return (text of the file now or None, text it is to have); equal texts mean nothing to do.

    A snapshot that holds the same as the file, time aside, leaves the file
    alone; what counters, status and governed registers hold counts where the
    selection asks for them. Raises MsrSafeError, unless ``overwrite``, where ``path`` holds what
    would be lost: something that is not a snapshot, or that of another host.
    """
    before, after = machine.read_text(path), render_snapshot(snapshot)
    if before is None:
        return None, after
    before += '\n'
    try:
        saved = parse_snapshot(before, path)
        check_host(saved, snapshot, path)
    except MsrSafeError as error:
        if overwrite:
            return before, after
        raise MsrSafeError(
            error.problem + ' It is not overwritten.', 'Remove it first, choose another path, or accept it: overwrite.'
        ) from error
    is_same = same_content(saved, snapshot, asks_for_moving(selection))
    return (before, before) if is_same else (before, after)


def check_host(saved, snapshot, path):
    """Raise MsrSafeError where a file holds the snapshot of another node."""
    if saved['host'] != snapshot['host']:
        raise MsrSafeError('%s is the snapshot of host %s, not of %s.' % (path, saved['host'], snapshot['host']))


def save(machine, path, text, generations=0):
    """Write a snapshot's text, readable by root only; keep so many generations of what was there before.

    Whoever saves holds the lock of the node.
    """
    remove_leftovers(machine, path)
    if generations and machine.exists(path) and not is_backed_up(machine, path):
        rotate(machine, path, generations)
    machine.write(path, text.encode('utf-8'), mode=0o600)


def backup_path(path, generation):
    return '%s.%d' % (path, generation)


def is_backed_up(machine, path):
    """Return whether a file is its own first backup already: where it could not be replaced after that."""
    first = backup_path(path, 1)
    return machine.exists(first) and os.path.samefile(machine.path(path), machine.path(first))


def rotate(machine, path, generations):
    """Make the file its own first backup, and each backup the next: from the oldest on, so that none is ever lost."""
    try:
        for generation in range(generations - 1, 0, -1):
            if machine.exists(backup_path(path, generation)):
                os.rename(machine.path(backup_path(path, generation)), machine.path(backup_path(path, generation + 1)))
        machine.remove(backup_path(path, 1))
        os.link(machine.path(path), machine.path(backup_path(path, 1)))
    except OSError as error:
        raise MsrSafeError(
            'Cannot keep a backup of %s: %s.' % (path, error.strerror),
            'Backups are hard links: save to a file system that has them, or without backup.',
        ) from error
