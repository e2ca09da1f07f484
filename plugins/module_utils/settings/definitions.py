# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Definitions: what a controller, where the table of registers is, tells a node of those that a task is about."""

from ..approved_lists.active import read_installed_list
from ..hardware.cpu import list_name
from ..registers.register import Field, Register, Registers, short_name


def pack(cpus, registers, missing=()):
    """Return definitions of registers that these CPUs (names of lists) have.

    missing: {short name: what they have instead} of registers that they lack.

    They are plain data, lists all the way: Ansible rebuilds what it passes on, and could not rebuild named tuples.
    """
    packed_ones = {'cpus': sorted(cpus), 'registers': [packed(register) for register in registers]}
    return dict(packed_ones, missing=dict(missing)) if missing else packed_ones


def packed(register):
    fields = [list(field) for field in register.fields]
    return [register.address, register.name, register.kind, register.scope, fields, register.mask]


def unpack(definitions, cpu):
    """Return the Registers that definitions have for a processor (as from read_cpu)."""
    of_cpu = [each for each in definitions if list_name(cpu) in each['cpus']]
    missing = {name: words for each in of_cpu for name, words in each.get('missing', {}).items()}
    return Registers(
        (
            Register(address, name, kind, scope, tuple(Field(*field) for field in fields), mask)
            for each in of_cpu
            for address, name, kind, scope, fields, mask in each['registers']
        ),
        missing=lambda name: missing.get(short_name(name)),
    )


def known_registers(machine, definitions, cpu):
    """Return the Registers of the definitions, and those that the node's own list names."""
    registers = unpack(definitions, cpu)
    named = [entry for entry in read_installed_list(machine) if entry.name]
    others = [entry for entry in named if entry.address not in registers.by_address]
    return Registers(
        list(registers.by_address.values())
        + [Register(entry.address, entry.name, entry.kind, '', ()) for entry in others],
        missing=registers.missing,
    )
