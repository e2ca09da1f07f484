# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Access to registers: in one batch, or CPU by CPU where the node has no batch device."""

from ..hardware.devices import BATCH, device_paths, missing_device
from . import batch, cpu_devices, operations
from .reading import readings_of


def read_registers(machine, addresses, cpus):
    """Read registers on CPUs and return {address: Reading}."""
    if not addresses or not cpus:
        return {}
    return readings_of(addresses, cpus, carry_out(machine, operations.reads(addresses, cpus)))


def write_registers(machine, triples):
    """Write registers, (cpu, address, value) each, and return an errno for each: 0 where it was carried out."""
    return carry_out(machine, operations.writes(triples)).errors if triples else []


def carry_out(machine, wanted):
    """Carry out Operations and return their Results. Raises MsrSafeError where there is no device to do it."""
    way = observe_access(machine)
    if way is None:
        raise missing_device(machine, BATCH)
    return (batch if way == 'batch' else cpu_devices).carry_out(machine, wanted)


def observe_access(machine):
    """Return how registers are reached: 'batch', 'cpu_devices' (slower), or None."""
    if machine.exists(BATCH):
        return 'batch'
    return 'cpu_devices' if device_paths(machine, 'msr_safe') else None


def slowness(machine):
    """Return a warning where registers are reached the slow way, or None."""
    if observe_access(machine) == 'cpu_devices':
        return '%s is missing: each register of each CPU is accessed by itself, which is slower.' % BATCH
    return None
