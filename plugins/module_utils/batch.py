# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The batch device: many register reads and writes in one ioctl."""

import array
import collections
import errno
import fcntl
import os
import struct

from .devices import BATCH, LOAD_REMEDY
from .errors import MsrSafeError

# _IOWR('c', 0xA2, struct msr_batch_array) of a 64-bit caller.
IOCTL = 0xC01063A2
ARRAY = struct.Struct('@IIP')
OPERATION = struct.Struct('=HHiI4xQQ')
WRITE, READ = 0, 1

# What the module finds before it carries out anything: then nothing was done.
REFUSALS = frozenset((errno.ENXIO, errno.EACCES, errno.EROFS, errno.EPERM))
# What an ioctl returns for the sake of single operations, each of which says so itself.
OPERATION_ERRORS = REFUSALS | frozenset((errno.EIO,))

Operation = collections.namedtuple('Operation', 'cpu direction address value')
Operation.__doc__ = """One register access: CPU number, READ or WRITE, address, value to write (0 for READ)."""

Result = collections.namedtuple('Result', 'error value')
Result.__doc__ = """What became of an operation: errno (0: it was carried out), and the value read or written."""


def carry_out(machine, operations):
    """Carry out every operation that the module allows, and return a Result for each.

    The module refuses a batch as a whole when it refuses one operation of it;
    the others are then sent again without those. Raises MsrSafeError where
    the batch device is missing or may not be used.
    """
    if not operations:
        return []
    writes = any(operation.direction == WRITE for operation in operations)
    descriptor = open_batch(machine, os.O_RDWR if writes else os.O_RDONLY)
    try:
        return submit_until_settled(descriptor, operations)
    finally:
        os.close(descriptor)


def submit_until_settled(descriptor, operations):
    """Submit the operations, and again those that a refused one held back."""
    results = [None] * len(operations)
    waiting = list(range(len(operations)))
    while waiting:
        answers = dict(zip(waiting, submit(descriptor, [operations[index] for index in waiting])))
        refused = {index for index in waiting if answers[index].error in REFUSALS}
        settled = refused or set(waiting)
        for index in settled:
            results[index] = answers[index]
        waiting = [index for index in waiting if index not in settled]
    return results


def open_batch(machine, flags):
    try:
        return os.open(machine.path(BATCH), flags)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
            raise MsrSafeError('%s is missing: no msr-safe kernel module is loaded.' % BATCH, LOAD_REMEDY) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise MsrSafeError(
                'Not allowed to open %s.' % BATCH,
                "Run as root (in Ansible: become: true), or as a member of the device's group.",
            ) from error
        raise MsrSafeError('Cannot open %s: %s.' % (BATCH, error.strerror)) from error


def submit(descriptor, operations):
    """Send one batch and return the Result of each operation, whatever the ioctl returned."""
    memory = array.array(
        'B',
        b''.join(
            OPERATION.pack(operation.cpu, operation.direction, 0, operation.address, operation.value, 0)
            for operation in operations
        ),
    )
    request = ARRAY.pack(len(operations), 0, memory.buffer_info()[0])
    failure = 0
    try:
        fcntl.ioctl(descriptor, IOCTL, request)
    except OSError as error:
        failure = error.errno
    results = [Result(-fields[2], fields[4]) for fields in OPERATION.iter_unpack(memory)]
    if failure and (failure not in OPERATION_ERRORS or not any(result.error for result in results)):
        raise MsrSafeError(
            'The batch of %d operations on %s failed: %s.' % (len(operations), BATCH, os.strerror(failure)),
            'The kernel log may say more: dmesg | tail.',
        )
    return results


def read_registers(machine, addresses, cpus):
    """Read registers on CPUs in one batch.

    Returns ``{address: {cpu: Result}}``, every CPU in it, the ones that could
    not be read with their errno.
    """
    operations = [Operation(cpu, READ, address, 0) for address in addresses for cpu in cpus]
    values = {address: {} for address in addresses}
    for operation, result in zip(operations, carry_out(machine, operations)):
        values[operation.address][operation.cpu] = result
    return values


def write_registers(machine, writes):
    """Write registers in one batch. ``writes``: [(cpu, address, value)]; returns a Result each."""
    return carry_out(machine, [Operation(cpu, WRITE, address, value) for cpu, address, value in writes])
