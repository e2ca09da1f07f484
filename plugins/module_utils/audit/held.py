# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Held: what registers hold on each CPU, worked out once for each reading, however many nodes have it."""

from ..hardware.cpulist import format_cpulist, parse_cpulist
from ..registers.of_cpu import registers_of
from .moving import still_bits


class Held:
    """The readings of a run, as values and as keys that are equal where nothing but moving bits differs."""

    def __init__(self, run):
        self.readings = run.readings
        self.values, self.keys = {}, {}

    def on_cpus(self, index):
        """Return {CPU: value, or why it could not be read} of a reading."""
        if index not in self.values:
            _address, values, errors = self.readings[index]
            held = {cpu: int(value, 16) for value, cpus in values.items() for cpu in parse_cpulist(cpus)}
            held.update((cpu, error) for error, cpus in errors.items() for cpu in parse_cpulist(cpus))
            self.values[index] = held
        return self.values[index]

    def key(self, index, mask):
        """Return what two readings have in common where their bits of a mask are equal."""
        if (index, mask) not in self.keys:
            _address, values, errors = self.readings[index]
            merged = {}
            for value, cpus in values.items():
                merged.setdefault(int(value, 16) & mask, []).append(cpus)
            self.keys[index, mask] = (
                tuple(sorted((value, unite(cpulists)) for value, cpulists in merged.items())),
                tuple(sorted(errors.items())),
            )
        return self.keys[index, mask]


def unite(cpulists):
    """Return cpulists as one."""
    if len(cpulists) == 1:
        return cpulists[0]
    return format_cpulist(cpu for cpus in cpulists for cpu in parse_cpulist(cpus))


class KnownRegisters:
    """The table's registers of each processor, and the bits of them that an audit compares."""

    def __init__(self):
        self.of_signature, self.masks, self.units = {}, {}, {}

    def at(self, cpu, address):
        """Return a processor's register at an address."""
        return self.of(cpu).at(address)

    def of(self, cpu):
        signature = (cpu['family'], cpu['model'])
        if signature not in self.of_signature:
            self.of_signature[signature] = registers_of(cpu)
        return self.of_signature[signature]

    def units_of(self, cpu, address):
        """Return the addresses of the registers that tell the units of one."""
        key = (cpu['family'], cpu['model'], address)
        if key not in self.units:
            registers = self.of(cpu)
            self.units[key] = registers.needed_to_decode([registers.at(address)])
        return self.units[key]

    def mask(self, register):
        if register not in self.masks:
            self.masks[register] = still_bits(register)
        return self.masks[register]
