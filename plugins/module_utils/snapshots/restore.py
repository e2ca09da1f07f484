# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Restoring: bring registers back to what a snapshot holds, writing only what differs."""

import collections
import errno
import itertools

from ..access.reading import Reading, by_cpu, describe_error
from ..access.registers import read_registers
from ..access.write import Write, carried_out, carry_out_writes, describe_address, foresee_problems, problem_of
from ..approved_lists.active import read_named_list
from ..errors import MsrSafeError
from ..hardware.cpu import describe_cpu, online_cpus, read_cpu, select_cpus
from ..hardware.cpulist import format_cpulist, parse_cpulist
from ..hardware.frequency import frequency_driver, owned_by
from ..words import join_some
from .selection import CONFIGURATION, select_entries
from .snapshot import UNKNOWN, describe_node, parse_snapshot, snapshot_errors, snapshot_values

# What a restore refuses unless it is told to accept it.
ACCEPTABLE = ('other_cpu', 'edited_file', 'narrower_list')

Saved = collections.namedtuple('Saved', 'address name kind mask values errors')
Saved.__doc__ = """A register of a snapshot: what it is, {value: [CPU]}, and {why it could not be read: [CPU]}."""

Restored = collections.namedtuple('Restored', 'registers cpus writes problems governed owner overruled')
Restored.__doc__ = """What a restore is about: addresses, a cpulist; the Writes it makes, the Problems it meets.

governed: the addresses that the kernel rewrites; owner: its driver, or '';
overruled: Problems that come of it, and are no failure.
"""

NOTHING = Reading({}, {})


def read_snapshot(machine, path, accept=()):
    """Return the snapshot in a file. Raises MsrSafeError where there is none or it is damaged."""
    text = machine.read_text(path)
    if text is None:
        raise MsrSafeError('There is no snapshot at %s.' % path, 'Save one first: msr_save, or msrsave FILE.')
    return parse_snapshot(text, path, accept_edited='edited_file' in accept)


def plan_restore(machine, snapshot, accept=(), selection=CONFIGURATION):
    """Return, as Restored, what brings the machine to what the snapshot holds.

    selection: of the snapshot's registers and CPUs. Raises MsrSafeError where
    the snapshot does not fit this machine, see ACCEPTABLE.
    """
    check_cpu(snapshot, read_cpu(machine), accept)
    owner, in_force = frequency_driver(machine), read_named_list(machine)
    saved = with_kinds(saved_registers(snapshot), in_force)
    saved = select_entries(saved, selection, 'the snapshot')
    saved = writable(saved, in_force, snapshot, accept)
    online = set(online_cpus(machine))
    newcomers = unsaved_cpus(snapshot, online)
    chosen = None if selection.cpus == 'all' else set(select_cpus(machine, selection.cpus))
    require_saved(snapshot, (chosen or set()) - newcomers)
    cpus = newcomers.union(*(group for register in saved for group in groups_of(register)))
    cpus = cpus if chosen is None else cpus & chosen
    current = read_registers(machine, [register.address for register in saved], sorted(cpus & online))
    writes, problems = [], []
    for register in saved:
        now = current.get(register.address, NOTHING)
        if not is_as_saved(register, now):
            more_writes, more_problems = compare(register, now, newcomers, chosen)
            writes += more_writes
            problems += more_problems
    governed = {register.address for register in saved if register.kind == 'governed'}
    addresses = [register.address for register in saved]
    return apart(Restored(addresses, format_cpulist(cpus), writes, problems, governed, owner, []))


def with_kinds(saved, entries):
    """Return saved registers that the list in force calls governed as such: older snapshots did not tell."""
    governed = {entry.address for entry in entries if entry.kind == 'governed'}
    return [
        register._replace(kind='governed')
        if register.address in governed and register.kind == 'configuration'
        else register
        for register in saved
    ]


def apart(restored):
    """Return a Restored with the problems set apart that come of the kernel's rewriting registers."""
    if not restored.owner:
        return restored
    ours = [problem for problem in restored.problems if problem.address not in restored.governed]
    theirs = [problem for problem in restored.problems if problem.address in restored.governed]
    return restored._replace(
        problems=ours,
        overruled=restored.overruled
        + [problem._replace(error='%s (%s)' % (owned_by(restored.owner), problem.error)) for problem in theirs],
    )


def unsaved_cpus(snapshot, online):
    """Return the CPUs that came online since; none where the snapshot is one of chosen CPUs."""
    were_online = snapshot['cpu']['online']
    return online - set(parse_cpulist(were_online)) if snapshot['cpus'] == were_online else set()


def require_saved(snapshot, chosen):
    """Raise MsrSafeError where CPUs are chosen of which the snapshot, one of chosen CPUs itself, says nothing."""
    unknown = chosen - set(parse_cpulist(snapshot['cpus']))
    if unknown:
        raise MsrSafeError(
            'CPU %s is not in the snapshot, which is one of CPU %s.' % (format_cpulist(unknown), snapshot['cpus']),
            'Choose among those, or take the CPU out of the selection.',
        )


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


def doubts(machine, snapshot):
    """Return what is to be known of a snapshot that is restored all the same, [] where there is nothing."""
    saved, here = str(snapshot.get('host', UNKNOWN)), describe_node(machine, None)['host']
    if is_same_host(saved, here) or UNKNOWN in (saved, here):
        return []
    return [
        'The snapshot is of host %s, and this is %s. Settings for all nodes alike may be meant so; what belongs to a '
        'single node, such as a power limit that was measured for it, is that of %s.' % (saved, here, saved)
    ]


def is_same_host(name, other):
    """Return whether two names can be those of one host: one may have its domain, the other not."""
    return name == other or name.startswith(other + '.') or other.startswith(name + '.')


def saved_registers(snapshot):
    """Return the registers of a snapshot that could be written when it was taken, by address."""
    registers = [
        Saved(
            int(address, 16),
            register['name'],
            register['kind'],
            int(register['write_mask'], 16),
            snapshot_values(register),
            snapshot_errors(register),
        )
        for address, register in sorted(snapshot['registers'].items())
    ]
    return [register for register in registers if register.mask]


def writable(saved, entries, snapshot, accept):
    """Return the saved registers with the bits that the list in force lets be written, if any.

    Raises MsrSafeError where the list no longer lets all saved bits be written.
    """
    allowed = {entry.address: entry.mask for entry in entries}
    masked = [register._replace(mask=register.mask & allowed.get(register.address, 0)) for register in saved]
    narrower = [register for register, now in zip(saved, masked) if now.mask != register.mask]
    if narrower and 'narrower_list' not in accept:
        raise MsrSafeError(
            'The active approved list does not let all saved bits of %s be written.'
            % join_some([describe_address(register.address, register.name) for register in narrower]),
            'Activate the list that was in force when the snapshot was taken (sha256 %s), '
            'or restore what the list allows: accept narrower_list.' % snapshot.get('approved_list_sha256'),
        )
    return [register for register in masked if register.mask]


def groups_of(register):
    """Return the lists of CPUs of a saved register, those with a value and those without."""
    return list(register.values.values()) + list(register.errors.values())


def is_as_saved(register, now):
    """Return whether a register holds one and the same value then and now, on the same CPUs: the usual case."""
    values = {value & register.mask for groups in (register.values, now.values) for value in groups}
    if len(values) != 1 or register.errors or now.errors:
        return False
    return all_cpus(register.values) == all_cpus(now.values)


def all_cpus(groups):
    return sorted(itertools.chain.from_iterable(groups.values()))


def compare(register, now, newcomers, chosen):
    """Return (Writes, Problems) of a register: its Reading ``now`` against the saved one."""
    current, errors = by_cpu(now.values), by_cpu(now.errors)
    saved, unread = by_cpu(register.values), by_cpu(register.errors)
    cpus = newcomers.union(saved, unread)
    writes, problems = [], []
    for cpu in sorted(cpus if chosen is None else cpus & chosen):
        if cpu in saved and cpu in current:
            writes += write_back(register, cpu, current[cpu], saved[cpu])
        elif cpu in saved:
            problems.append(problem_of(register, cpu, describe_error(errors.get(cpu, errno.ENXIO))))
        elif cpu in unread and cpu in errors:
            continue  # It could be read neither then nor now: it is as it was.
        else:
            reason = unread.get(cpu, 'the CPU was offline when it was taken')
            problems.append(problem_of(register, cpu, 'not in the snapshot: ' + reason))
    return writes, problems


def write_back(register, cpu, current, saved):
    """Return [the Write that brings the saved bits back on a CPU], or [] where they are there."""
    if not (current ^ saved) & register.mask:
        return []
    after = (current & ~register.mask) | (saved & register.mask)
    return [Write(register.address, register.name, register.mask, cpu, current, after)]


def restore(machine, restored):
    """Carry out the writes of a plan; return the plan with what was written and every Problem met."""
    return with_problems(restored, carry_out_writes(machine, restored.writes))


def foresee(machine, restored):
    """Return a plan with what would be written, and the Problems that are certain to be met."""
    return with_problems(restored, foresee_problems(machine, restored.writes))


def with_problems(restored, met):
    problems = restored.problems + met
    return apart(restored._replace(writes=carried_out(restored.writes, problems), problems=problems))


def summarize(restored):
    """Return what a restore did, or would do, in numbers."""
    return {
        'registers': len(restored.registers),
        'cpus': restored.cpus,
        'writes': len(restored.writes),
        'problems': len(restored.problems),
        'overruled': len(restored.overruled),
    }
