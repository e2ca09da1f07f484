# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The device of each CPU: one register at a time, a system call each."""

import errno
import itertools
import os
import struct
from array import array

from ..hardware.devices import open_device
from .operations import READ, Results

VALUE = struct.Struct('=Q')


def carry_out(machine, operations):
    """Carry out the operations one after the other, and return their Results.

    Raises MsrSafeError where the devices may not be used.
    """
    errors, values = [], array('Q')
    accesses = zip(operations.cpus, operations.addresses, operations.values)
    for cpu, of_cpu in itertools.groupby(accesses, key=lambda each: each[0]):
        # One device at a time: a node may have more CPUs than a process may open files
        descriptor = open_cpu(machine, cpu, operations.direction)
        try:
            for _cpu, address, value in of_cpu:
                error, value = access(descriptor, operations.direction, address, value)
                errors.append(error)
                values.append(value)
        finally:
            if descriptor is not None:
                os.close(descriptor)
    return Results(errors, values, None)


def open_cpu(machine, cpu, direction):
    """Return the descriptor of a CPU's device, or None where the CPU is offline: it has no device then."""
    path = '/dev/cpu/%d/msr_safe' % cpu
    return open_device(machine, path, os.O_RDONLY if direction == READ else os.O_RDWR) if machine.exists(path) else None


def access(descriptor, direction, address, value):
    """Read or write a register and return (errno, value)."""
    if descriptor is None:
        return errno.ENXIO, 0
    try:
        if direction == READ:
            return 0, VALUE.unpack(os.pread(descriptor, VALUE.size, address))[0]
        os.pwrite(descriptor, VALUE.pack(value), address)
        return 0, value
    except OSError as error:
        return error.errno, 0
