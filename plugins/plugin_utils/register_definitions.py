# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The definitions of the registers of a task: a few lines of the table, which is far larger."""

from __future__ import annotations

import contextlib

from ..module_utils.errors import MsrSafeError
from ..module_utils.hardware.cpu import list_name
from ..module_utils.numbers import MAX_ADDRESS, parse_literal
from ..module_utils.registers.of_cpu import registers_of
from ..module_utils.registers.register import near_words, parse_group, short_name
from ..module_utils.registers.table import CPUS, GROUPS
from ..module_utils.registers.units import UNITS
from ..module_utils.settings.definitions import pack


def definitions_of(texts):
    """Return definitions of all that names and addresses may mean, on every CPU that the table knows.

    With them come the registers that tell the units of their fields; for a
    name that no CPU has, those that a suggestion needs.
    """
    groups = {group: list(parse_group(text)) for group, text in GROUPS.items()}
    addresses, names = meant(texts)
    everything = [register for registers in groups.values() for register in registers]
    unknown = names - {short_name(register.name) for register in everything}
    for name in unknown:
        names |= set(near_words(name, {short_name(register.name) for register in everything}))
    wanted = {
        register for register in everything if register.address in addresses or short_name(register.name) in names
    }
    units = {field.unit for register in wanted for field in register.fields if field.unit}
    addresses = {address for unit in units for address in UNITS[unit].needs}
    wanted |= {register for register in everything if register.address in addresses}
    return [
        pack([cpu for cpu, its_groups in CPUS.items() if group in its_groups.split()], found)
        for group, registers in groups.items()
        for found in [[register for register in registers if register in wanted]]
        if found
    ]


def definitions_of_cpu(cpu):
    """Return definitions of all registers of a processor (as from read_cpu), without their fields."""
    registers = registers_of(cpu).by_address.values()
    return [pack([list_name(cpu)], [register._replace(fields=()) for register in registers])]


def meant(texts):
    """Return ({address}, {name without prefix}) of texts; what is neither is left for the node to refuse."""
    addresses, names = set(), set()
    for text in map(str, texts):
        if not text[:1].isdigit():
            names.add(short_name(text))
            continue
        with contextlib.suppress(MsrSafeError):
            addresses.add(parse_literal(text, MAX_ADDRESS, 'register:'))
    return addresses, names
