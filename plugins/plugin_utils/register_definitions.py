# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The definitions of the registers of a task: a few lines of the table, which is far larger."""

from __future__ import annotations

import collections
import contextlib

from ansible.module_utils.common.validation import check_type_list

from ..module_utils.errors import MsrSafeError
from ..module_utils.hardware.cpu import list_name
from ..module_utils.numbers import MAX_ADDRESS, parse_literal
from ..module_utils.registers.counterpart import counterpart
from ..module_utils.registers.of_cpu import registers_of
from ..module_utils.registers.register import near_words, parse_group, short_name
from ..module_utils.registers.table import CPUS, GROUPS, PROCESSORS
from ..module_utils.registers.units import UNITS
from ..module_utils.settings.definitions import pack


def definitions_of(texts):
    """Return definitions of all that names and addresses may mean, on every CPU that the table knows.

    With them come the registers that tell the units of their fields; for a
    name that no CPU has, those that a suggestion needs.
    """
    groups = {group: list(parse_group(text)) for group, text in GROUPS.items()}
    everything = [register for registers in groups.values() for register in registers]
    addresses, names = meant(texts, everything)
    named = {register for register in everything if is_meant(register, addresses, names)}
    wanted = named | registers_of_units(everything, named)
    definitions = []
    for group, registers in groups.items():
        found = [register for register in registers if register in wanted]
        if found:
            definitions.append(pack(cpus_with(group), found))
    return definitions + list(counterparts(names, groups))


def items_of(option):
    """Return the items of an option as a module takes a list, [] where it will refuse it."""
    with contextlib.suppress(TypeError):
        return check_type_list([] if option is None else option)
    return []


def counterparts(names, groups):
    """Yield definitions of what CPUs have in the place of registers that they lack, CPUs alike together."""
    alike = collections.defaultdict(list)
    for cpu, groups_of_cpu in CPUS.items():
        registers = [register for group in groups_of_cpu.split() for register in groups[group]]
        lacking = sorted(names - {short_name(register.name) for register in registers})
        found = ((name, counterpart(name, PROCESSORS[cpu][0], registers)) for name in lacking)
        missing = tuple((name, words) for name, words in found if words)
        if missing:
            alike[missing].append(cpu)
    return (pack(cpus, [], missing) for missing, cpus in alike.items())


def cpus_with(group):
    """Return the CPUs (names of lists) that have a group of registers."""
    return [cpu for cpu, groups in CPUS.items() if group in groups.split()]


def is_meant(register, addresses, names):
    return register.address in addresses or short_name(register.name) in names


def registers_of_units(everything, registers):
    """Return the registers that tell the units of the fields of others."""
    units = {field.unit for register in registers for field in register.fields if field.unit}
    addresses = {address for unit in units for address in UNITS[unit].needs}
    return {register for register in everything if register.address in addresses}


def definitions_of_cpu(cpu):
    """Return definitions of all registers of a processor (as from read_cpu), without their fields."""
    registers = registers_of(cpu).by_address.values()
    return [pack([list_name(cpu)], [register._replace(fields=()) for register in registers])]


def meant(texts, everything):
    """Return ({address}, {name without prefix}) that texts mean; what is neither is left for the node to refuse.

    Instead of a name that no register has: the names that are near it.
    """
    known = {short_name(register.name) for register in everything}
    addresses, names = set(), set()
    for text in (str(text).strip() for text in texts):
        if text[:1].isdigit():
            with contextlib.suppress(MsrSafeError):
                addresses.add(parse_literal(text, MAX_ADDRESS, 'register:'))
        elif short_name(text) in known:
            names.add(short_name(text))
        else:
            names.update(near_words(short_name(text), known))
    return addresses, names
