# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The registers of each CPU, from the table of all CPUs.

For controllers and installed commands: a module that imports this takes the
table to the node with every call. See definitions.py for what it takes instead.
"""

from ..hardware.cpu import list_name
from .register import Registers, parse_group
from .table import CPUS, GROUPS


def registers_of(cpu):
    """Return the Registers of a processor (as from read_cpu)."""
    return Registers(
        register for group in CPUS.get(list_name(cpu), '').split() for register in parse_group(GROUPS[group])
    )
