# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A write: a register of a CPU that is to hold another value, carried out with others, and read back."""

import collections
import errno

from ..errors import MsrSafeError
from ..hardware.cpulist import format_cpulist, parse_cpulist
from ..hardware.lockdown import forbids_writes
from ..hexadecimal import format_address, format_value
from .reading import by_cpu, describe_error
from .registers import read_registers, write_registers

# Up to so many registers with the same problem on the same CPUs are named one by one.
SAID_SINGLY = 3
HOLDS = ': it holds '

Write = collections.namedtuple('Write', 'address name mask cpu before after')
Write.__doc__ = """One register of one CPU, the bits that matter, the value it holds and the one it gets."""

Problem = collections.namedtuple('Problem', 'address name cpu error')
Problem.__doc__ = """One register of one CPU that could not be read or written, and why in words."""


def carry_out_writes(machine, writes, write_all=write_registers, read_all=read_registers):
    """Carry out the writes in one batch, read back, and return the Problems met.

    write_all: what writes them, as write_registers does; that of a Lease brings them back one day. read_all: what
    reads them back, as read_registers does.
    """
    errors = write_all(machine, [(write.cpu, write.address, write.after) for write in writes])
    problems = [problem_of(write, write.cpu, describe_error(error)) for write, error in zip(writes, errors) if error]
    written = [write for write, error in zip(writes, errors) if not error]
    try:
        return problems + not_taken(machine, written, read_all)
    except MsrSafeError as error:
        return problems + [
            problem_of(write, write.cpu, 'written, but not read back: ' + error.problem) for write in written
        ]


def foresee_problems(machine, writes):
    """Return the Problems that writes are certain to meet, as carry_out_writes would; nothing is written."""
    if not forbids_writes(machine):
        return []
    return [problem_of(write, write.cpu, describe_error(errno.EPERM)) for write in writes]


def problem_of(register, cpu, error):
    """Return the Problem of a register (with address and name) on a CPU; error: why, in words."""
    return Problem(register.address, register.name, cpu, error)


def not_taken(machine, written, read_all=read_registers):
    """Return a Problem for each write whose register does not hold the value now."""
    addresses = sorted({write.address for write in written})
    current = read_all(machine, addresses, sorted({write.cpu for write in written}))
    values = {address: by_cpu(reading.values) for address, reading in current.items()}
    errors = {address: by_cpu(reading.errors) for address, reading in current.items()}
    problems = []
    for write in written:
        if write.cpu in errors[write.address]:
            problems.append(
                problem_of(write, write.cpu, 'read back: ' + describe_error(errors[write.address][write.cpu]))
            )
        elif (values[write.address][write.cpu] ^ write.after) & write.mask:
            now = format_value(values[write.address][write.cpu])
            problems.append(problem_of(write, write.cpu, 'the register did not take the value' + HOLDS + now))
    return problems


def carried_out(writes, problems):
    """Return the writes that met no problem."""
    failed = {(problem.address, problem.cpu) for problem in problems}
    return [write for write in writes if (write.address, write.cpu) not in failed]


def summarize_writes(writes):
    """Return the writes with equal ones of several CPUs put together.

    Shape: ``[{'address', 'name', 'before', 'after', 'cpus'}]``, values as hex
    strings and cpus as a cpulist, in address order.
    """
    return [
        {
            'address': format_address(address),
            'name': name,
            'before': format_value(before),
            'after': format_value(after),
            'cpus': format_cpulist(cpus),
        }
        for (address, name, before, after), cpus in grouped(
            writes, lambda write: (write.address, write.name, write.before, write.after)
        )
    ]


def summarize_problems(problems):
    """Return the problems with equal ones of several CPUs put together, as in summarize_writes."""
    return [
        {'address': format_address(address), 'name': name, 'error': error, 'cpus': format_cpulist(cpus)}
        for (address, name, error), cpus in grouped(
            problems, lambda problem: (problem.address, problem.name, problem.error)
        )
    ]


def grouped(things, key):
    """Return [(key, CPUs)] of writes or problems, in order of their addresses."""
    groups = collections.OrderedDict()
    for thing in sorted(things):
        groups.setdefault(key(thing), []).append(thing.cpu)
    return groups.items()


def render_problems(rows):
    """Return summarized problems in words, a line each; what many registers of the same CPUs share is said once."""
    alike = collections.OrderedDict()
    for row in with_few_values(rows):
        alike.setdefault((row['cpus'], without_value(row['error'])), []).append(row)
    return '\n'.join(
        line
        for (cpus, error), same in alike.items()
        for line in (
            map(describe_problem, same)
            if len(same) <= SAID_SINGLY
            else ['%d registers on CPU %s: %s' % (len(same), cpus, error)]
        )
    )


def with_few_values(rows):
    """Return summarized problems, those of a register put together that differ in many values that it holds."""
    alike = collections.OrderedDict()
    for row in rows:
        alike.setdefault((row['address'], without_value(row['error'])), []).append(row)
    for (_address, error), same in alike.items():
        if len(same) <= SAID_SINGLY:
            yield from same
        else:
            cpus = [cpu for row in same for cpu in parse_cpulist(row['cpus'])]
            yield dict(same[0], error=error, cpus=format_cpulist(cpus))


def without_value(error):
    """Return a problem in words that registers share which hold different values."""
    return error.partition(HOLDS)[0]


def describe_problem(row):
    return '%s on CPU %s: %s' % (describe_row(row), row['cpus'], row['error'])


def render_values(writes, field):
    """Return the values ``before`` or ``after`` of the writes as lines of text, for a diff."""
    return ''.join(
        '%-42s %s  on CPU %s\n' % (describe_address(address, name), format_value(value), format_cpulist(cpus))
        for (address, name, value), cpus in grouped(
            writes, lambda write: (write.address, write.name, getattr(write, field))
        )
    )


def describe_row(row):
    return ('%(address)s %(name)s' % row).rstrip()


def describe_address(address, name):
    """Return a register in words: ``0x000001A0 IA32_MISC_ENABLE``."""
    return ('%s %s' % (format_address(address), name)).rstrip()
