# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The registers of each CPU, from the table of all CPUs.

For controllers and installed commands: a module that imports this takes the
table to the node with every call. See definitions.py for what it takes instead.
"""

import collections

from ..hardware.cpu import list_name
from .counterpart import counterpart
from .register import Registers, parse_group, short_name
from .table import CPUS, GROUPS, PROCESSORS


def registers_of(cpu):
    """Return the Registers of a processor (as from read_cpu, or family and model only)."""
    if not is_known(cpu):
        return Registers((), kinds=kinds_of_names(), elsewhere=addresses_of_names())
    registers = [register for group in CPUS[list_name(cpu)].split() for register in parse_group(GROUPS[group])]
    return Registers(registers, missing=lambda name: counterpart(name, vendor_of(cpu), registers))


def is_known(cpu):
    """Return whether the table has a processor; it has one of another vendor under the same name at most."""
    vendor, _name = PROCESSORS.get(list_name(cpu), (None, None))
    return vendor is not None and cpu.get('vendor', vendor) == vendor


def code_name(cpu):
    """Return a processor's code name, or '' where the table does not have it."""
    return PROCESSORS[list_name(cpu)][1] if is_known(cpu) else ''


def vendor_of(cpu):
    """Return the vendor of a processor given by family and model only, or None."""
    return cpu.get('vendor') or PROCESSORS.get(list_name(cpu), (None,))[0]


def all_registers():
    """Yield the registers of all CPUs, many of them several times."""
    for text in GROUPS.values():
        yield from parse_group(text)


def kinds_of_names():
    """Return {short name: kind} of all CPUs' registers."""
    return {short_name(register.name): register.kind for register in all_registers()}


def addresses_of_names():
    """Return {short name: addresses} of all CPUs' registers."""
    addresses = collections.defaultdict(set)
    for register in all_registers():
        addresses[short_name(register.name)].add(register.address)
    return addresses
