# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Restoring: bring registers back to what a snapshot holds, writing only what differs."""

import collections
import os

from .active_list import read_named_list
from .batch import read_registers, write_registers
from .cpu import describe_cpu, online_cpus, read_cpu
from .cpulist import format_cpulist
from .errors import MsrSafeError
from .snapshot import format_address, format_value, parse_snapshot, snapshot_errors, snapshot_values

# What a restore refuses unless it is told to accept it.
ACCEPTABLE = ('other_cpu', 'edited_file', 'narrower_list')

Target = collections.namedtuple('Target', 'address name mask values')
Target.__doc__ = """A register to bring back: address, name, the bits to write, {cpu: saved value}."""

Write = collections.namedtuple('Write', 'address name mask cpu before after')
Write.__doc__ = """One register of one CPU that differs from the snapshot, and the value it gets."""

Problem = collections.namedtuple('Problem', 'address name cpu error')
Problem.__doc__ = """One register of one CPU that could not be brought back, and why in words."""


def read_snapshot(machine, path, accept=()):
    """Return the snapshot in a file. Raises MsrSafeError where there is none or it is damaged."""
    text = machine.read_text(path)
    if text is None:
        raise MsrSafeError('There is no snapshot at %s.' % path, 'Save one first: msr_save, or msrsave FILE.')
    return parse_snapshot(text, path, accept_edited='edited_file' in accept)


def plan_restore(machine, snapshot, accept=(), with_volatile=False):
    """Return (writes, problems) that bring the machine to what the snapshot holds.

    with_volatile: also counters and status registers, which are left alone
    otherwise. Raises MsrSafeError where the snapshot does not fit this
    machine, see ACCEPTABLE.
    """
    check_cpu(snapshot, read_cpu(machine), accept)
    targets = restore_targets(snapshot, read_named_list(machine), accept, with_volatile)
    online = set(online_cpus(machine))
    current = read_registers(machine, [target.address for target in targets], sorted(online))
    writes, problems = [], unsaved(snapshot, targets, online, current)
    for target in targets:
        for cpu, saved in sorted(target.values.items()):
            if cpu not in online:
                problems.append(Problem(target.address, target.name, cpu, 'CPU is offline'))
                continue
            now = current[target.address][cpu]
            if now.error:
                problems.append(Problem(target.address, target.name, cpu, os.strerror(now.error)))
            elif (now.value ^ saved) & target.mask:
                after = (now.value & ~target.mask) | (saved & target.mask)
                writes.append(Write(target.address, target.name, target.mask, cpu, now.value, after))
    return writes, problems


def check_cpu(snapshot, cpu, accept):
    """Raise MsrSafeError where the snapshot is of another CPU model."""
    saved = snapshot['cpu']
    same = all(saved[field] == cpu[field] for field in ('vendor', 'family', 'model'))
    if not same and 'other_cpu' not in accept:
        raise MsrSafeError(
            'The snapshot is of another CPU: %s on host %s; this node has %s.'
            % (describe_cpu(saved), snapshot.get('host'), describe_cpu(cpu)),
            "Restore this node's own snapshot, or accept it knowingly: other_cpu.",
        )


def restore_targets(snapshot, entries, accept, with_volatile):
    """Return the Targets of a snapshot under the list in force.

    Raises MsrSafeError where the list no longer lets all saved bits be written.
    """
    allowed = {entry.address: entry.mask for entry in entries}
    targets, narrower = [], []
    for text, register in sorted(snapshot['registers'].items()):
        address, saved_mask = int(text, 16), int(register['write_mask'], 16)
        if not saved_mask or (register['kind'] != 'configuration' and not with_volatile):
            continue
        mask = saved_mask & allowed.get(address, 0)
        if mask != saved_mask:
            narrower.append(describe_register(address, register['name']))
        if mask:
            targets.append(Target(address, register['name'], mask, snapshot_values(register)))
    if narrower and 'narrower_list' not in accept:
        raise MsrSafeError(
            'The active approved list does not let all saved bits of %s be written.' % join_some(narrower),
            'Activate the list that was in force when the snapshot was taken (sha256 %s), '
            'or restore what the list allows: accept narrower_list.' % snapshot.get('approved_list_sha256'),
        )
    return targets


def unsaved(snapshot, targets, online, current):
    """Return a Problem for each wanted register of each CPU whose value the snapshot does not have.

    A register that could not be read then and cannot be read now is as it was.
    """
    problems = []
    for target in targets:
        unread = snapshot_errors(snapshot['registers'][format_address(target.address)])
        still_unread = {cpu for cpu in unread if cpu in online and current[target.address][cpu].error}
        for cpu in sorted((set(unread) | (online - set(target.values))) - still_unread):
            why = unread.get(cpu, 'the CPU was offline when it was taken')
            problems.append(Problem(target.address, target.name, cpu, 'not in the snapshot: ' + why))
    return problems


def restore(machine, writes):
    """Carry out the writes in one batch, read back, and return the Problems met."""
    results = write_registers(machine, [(write.cpu, write.address, write.after) for write in writes])
    problems, written = [], []
    for write, result in zip(writes, results):
        if result.error:
            problems.append(Problem(write.address, write.name, write.cpu, os.strerror(result.error)))
        else:
            written.append(write)
    try:
        return problems + not_taken(machine, written)
    except MsrSafeError as error:
        why = 'written, but not read back: ' + error.problem
        return problems + [Problem(write.address, write.name, write.cpu, why) for write in written]


def not_taken(machine, written):
    """Return a Problem for each write whose register does not hold the value now."""
    addresses = sorted({write.address for write in written})
    current = read_registers(machine, addresses, sorted({write.cpu for write in written}))
    problems = []
    for write in written:
        now = current[write.address][write.cpu]
        if now.error:
            problems.append(Problem(write.address, write.name, write.cpu, 'read back: ' + os.strerror(now.error)))
        elif (now.value ^ write.after) & write.mask:
            problems.append(
                Problem(
                    write.address,
                    write.name,
                    write.cpu,
                    'the register did not take the value: it holds %s' % format_value(now.value),
                )
            )
    return problems


def carried_out(writes, problems):
    """Return the writes that met no problem."""
    failed = {(problem.address, problem.cpu) for problem in problems}
    return [write for write in writes if (write.address, write.cpu) not in failed]


def describe_register(address, name):
    return ('%s %s' % (format_address(address), name)).rstrip()


def join_some(names, limit=5):
    """Return the first names of a list in words: ``a, b and 3 more``."""
    if len(names) <= limit:
        return ', '.join(names)
    return '%s and %d more' % (', '.join(names[:limit]), len(names) - limit)


def summarize_writes(writes):
    """Return the writes with equal ones of several CPUs put together.

    Shape: ``[{'address', 'name', 'before', 'after', 'cpus'}]``, values as hex
    strings and cpus as a cpulist, in address order.
    """
    groups = collections.OrderedDict()
    for write in sorted(writes):
        groups.setdefault((write.address, write.name, write.before, write.after), []).append(write.cpu)
    return [
        {
            'address': format_address(address),
            'name': name,
            'before': format_value(before),
            'after': format_value(after),
            'cpus': format_cpulist(cpus),
        }
        for (address, name, before, after), cpus in groups.items()
    ]


def summarize_problems(problems):
    """Return the problems with equal ones of several CPUs put together, as in summarize_writes."""
    groups = collections.OrderedDict()
    for problem in sorted(problems):
        groups.setdefault((problem.address, problem.name, problem.error), []).append(problem.cpu)
    return [
        {'address': format_address(address), 'name': name, 'error': error, 'cpus': format_cpulist(cpus)}
        for (address, name, error), cpus in groups.items()
    ]


def render_problems(problems):
    """Return problems in words, a line each."""
    return '\n'.join(
        '%s %s on CPU %s: %s' % (problem['address'], problem['name'], problem['cpus'], problem['error'])
        for problem in summarize_problems(problems)
    )


def render_values(writes, field):
    """Return the values ``before`` or ``after`` of the writes as lines of text, for a diff."""
    groups = collections.OrderedDict()
    for write in sorted(writes):
        groups.setdefault((write.address, write.name, getattr(write, field)), []).append(write.cpu)
    return ''.join(
        '%-42s %s  on CPU %s\n' % (describe_register(address, name), format_value(value), format_cpulist(cpus))
        for (address, name, value), cpus in groups.items()
    )
