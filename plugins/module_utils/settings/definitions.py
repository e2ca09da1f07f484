# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Definitions: what a controller, where the table of registers is, tells a node of those that a task is about."""

from ..approved_lists.active import read_installed_list
from ..hardware.cpu import list_name
from ..registers.register import Field, Register, Registers


def pack(cpus, registers):
    """Return definitions of registers that these CPUs (names of lists) have.

    They are plain data, lists all the way: Ansible rebuilds what it passes on, and could not rebuild named tuples.
    """
    return {'cpus': sorted(cpus), 'registers': [packed(register) for register in registers]}


def packed(register):
    fields = [list(field) for field in register.fields]
    return [register.address, register.name, register.kind, register.scope, fields, register.mask]


def unpack(definitions, cpu):
    """Return the Registers that definitions have for a processor (as from read_cpu)."""
    return Registers(
        Register(address, name, kind, scope, tuple(Field(*field) for field in fields), mask)
        for each in definitions
        if list_name(cpu) in each['cpus']
        for address, name, kind, scope, fields, mask in each['registers']
    )


def known_registers(machine, definitions, cpu):
    """Return the Registers of the definitions, and those that the node's own list names."""
    registers = unpack(definitions, cpu)
    named = [entry for entry in read_installed_list(machine) if entry.name]
    others = [entry for entry in named if entry.address not in registers.by_address]
    return Registers(
        list(registers.by_address.values())
        + [Register(entry.address, entry.name, entry.kind, '', ()) for entry in others]
    )
