# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""An interpretation: what the values of registers mean, field by field, in the CPU's own units."""

import collections

from ..access.reading import by_cpu, describe_error
from ..access.registers import read_registers
from ..hardware.cpulist import format_cpulist
from ..hexadecimal import format_address, format_value
from ..registers.register import decode


def interpret_registers(machine, texts, cpus, registers):
    """Read registers, given as names or addresses, on CPUs in one batch, and return what each holds.

    Shape: ``{text: {'name', 'address', 'kind', 'scope', 'readings': [{'value':
    hex, 'cpus': cpulist, 'fields': {name: {'raw': int, 'value': number or
    None, 'unit': str or None}}}], 'errors': {words: cpulist}}}``. registers:
    Registers in which they are found. Raises MsrSafeError.
    """
    found = collections.OrderedDict((text.strip(), registers.find(text)) for text in texts)
    needed = registers.needed_to_decode(found.values())
    addresses = sorted({register.address for register in found.values()} | set(needed))
    readings = read_registers(machine, addresses, cpus)
    contexts = contexts_of(readings, needed, cpus)
    return {text: interpret(register, readings[register.address], contexts) for text, register in found.items()}


def contexts_of(readings, needed, cpus):
    """Return {CPU: ((address, value), …)} of the registers that tell a CPU's units."""
    values = [(address, by_cpu(readings[address].values)) for address in needed]
    return {cpu: tuple((address, of_cpu[cpu]) for address, of_cpu in values if cpu in of_cpu) for cpu in cpus}


def interpret(register, reading, contexts):
    """Return one register of interpret_registers."""
    groups = collections.OrderedDict()
    for value, cpus in sorted(reading.values.items()):
        for cpu in cpus:
            groups.setdefault((value, contexts[cpu] if register.fields else ()), []).append(cpu)
    return {
        'name': register.name,
        'address': format_address(register.address),
        'kind': register.kind,
        'scope': register.scope,
        'readings': [
            {
                'value': format_value(value),
                'cpus': format_cpulist(cpus),
                'fields': {field.name: describe_field(field) for field in decode(register, value, dict(context))},
            }
            for (value, context), cpus in groups.items()
        ],
        'errors': {describe_error(error): format_cpulist(cpus) for error, cpus in sorted(reading.errors.items())},
    }


def describe_field(field):
    """Return a FieldValue as plain data: value and unit are what the module msr takes."""
    return {'raw': field.number, 'value': field.number if field.unit is None else field.amount, 'unit': field.unit}
