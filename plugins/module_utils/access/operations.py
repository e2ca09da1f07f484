# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Operations: reads, or writes, of registers on CPUs, in columns.

A column is an array with an item for each operation. A node has a hundred
thousand of them, and what Python does for each item alone takes longer than
the kernel needs for the access.
"""

import collections
from array import array

WRITE, READ = 0, 1

Operations = collections.namedtuple('Operations', 'direction cpus addresses values')
Operations.__doc__ = """Accesses: arrays of CPU ('H'), address ('I'), value to write ('Q').

direction: of all of them, or an array ('H') of that of each.
"""

Results = collections.namedtuple('Results', 'errors values masks')
Results.__doc__ = """What became of each operation.

errors: errno, 0 where it was carried out; values: read or written; masks: the
bits that a write changes, or None where the device does not say them.
"""


def reads(addresses, cpus):
    """Return the Operations that read each address on each CPU: all of the first CPU, then those of the next."""
    columns = array('H')
    for cpu in cpus:
        columns.extend(array('H', [cpu]) * len(addresses))
    return Operations(READ, columns, array('I', addresses) * len(cpus), array('Q', bytes(8 * len(columns))))


def writes(triples):
    """Return the Operations of writes: (cpu, address, value) each."""
    cpus, addresses, values = zip(*triples) if triples else ((), (), ())
    return Operations(WRITE, array('H', cpus), array('I', addresses), array('Q', values))


def writes_after_reads(triples):
    """Return the Operations that read each register, and write it: (cpu, address, value) each."""
    _direction, *columns = writes([triple for triple in triples for _twice in range(2)])
    return Operations(array('H', [READ, WRITE]) * len(triples), *columns)


def directions(operations):
    """Return the direction of each operation, as an array."""
    if isinstance(operations.direction, array):
        return operations.direction
    return array('H', [operations.direction]) * len(operations.cpus)


def pick(operations, indexes):
    """Return some of the operations."""
    columns = (directions(operations), *operations[1:])
    return Operations(*(array(column.typecode, [column[index] for index in indexes]) for column in columns))
