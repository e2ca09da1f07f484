# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The batch device: many register reads or writes in one ioctl."""

import errno
import fcntl
import os
import struct
from array import array

from ..errors import MsrSafeError
from ..hardware.devices import BATCH, open_device
from .operations import READ, Results, directions, pick, reads

# _IOWR('c', 0xA2, struct msr_batch_array) of a 64-bit caller.
IOCTL = 0xC01063A2
ARRAY = struct.Struct('@IIP')
# An operation, and which of its numbers a field is where the memory is seen as numbers of one width:
#
#     byte    0     2        4       8         12        16      24           32
#             cpu   is read  error   address   padding   value   write mask
#     u16     0     1        -       -         -         -       -            of 16
#     32 bit  -     -        1       2         3         -       -            of 8
#     u64     -     -        -       -         -         2       3            of 4
#
# So every operation's address is words[2::8].
OPERATION_SIZE = 32

# What the module finds before it carries out anything: then nothing was done.
REFUSALS = frozenset((errno.ENXIO, errno.EACCES, errno.EROFS, errno.EPERM))
# What an ioctl returns for the sake of single operations, each of which says so itself.
# The last three are of a lease.
OPERATION_ERRORS = REFUSALS | frozenset((errno.EIO, errno.EBUSY, errno.ENOSPC, errno.ESHUTDOWN))


def carry_out(machine, operations):
    """Carry out every operation that the module allows, and return their Results.

    The module refuses a batch as a whole when it refuses one operation of it;
    the others are then sent again without those. Raises MsrSafeError where
    the batch device may not be used.
    """
    descriptor = open_device(machine, BATCH, os.O_RDONLY if operations.direction == READ else os.O_RDWR)
    try:
        return submit_until_settled(descriptor, operations)
    finally:
        os.close(descriptor)


def write_masks(machine, addresses, cpu):
    """Return {address: write mask} of those registers that the list in force has, as a read of them on a CPU tells.

    Who may use the batch device may ask this, also where the list's own device is root's.
    """
    descriptor = open_device(machine, BATCH, os.O_RDONLY)
    try:
        results = submit_until_settled(descriptor, reads(addresses, [cpu]))
    finally:
        os.close(descriptor)
    told = zip(addresses, results.errors, results.masks)
    return {address: mask for address, error, mask in told if error not in REFUSALS}


def submit_until_settled(descriptor, operations, submit_once=None):
    """Submit the operations, and again those that a refused one held back. submit_once: as submit, which it is."""
    submit_once = submit_once or submit
    results = submit_once(descriptor, operations)
    if not any(results.errors):
        return results
    waiting = [index for index, error in enumerate(results.errors) if error not in REFUSALS]
    if waiting and len(waiting) < len(results.errors):
        settled = submit_until_settled(descriptor, pick(operations, waiting), submit_once)
        for place, index in enumerate(waiting):
            for column, settled_column in zip(results, settled):
                column[index] = settled_column[place]
    return results


def submit(descriptor, operations):
    """Send one batch and return its Results, whatever the ioctl returned."""
    failure, results = exchange(
        operations,
        OPERATION_SIZE,
        lambda count, address: send(descriptor, IOCTL, ARRAY.pack(count, 0, address)),
    )
    require_carried_out(failure, results.errors)
    return results


def exchange(operations, size, send_array, masks=()):
    """Put operations into memory, have it sent, and return (errno or 0, the Results that are there then).

    size: bytes of one, which begins as the picture above shows. send_array: function from how many there are, and
    where, to the errno. masks: what each is to have as its write mask.
    """
    count = len(operations.cpus)
    memory = array('B', bytes(size * count))
    halves, words, longs = (memoryview(memory).cast(code) for code in 'HIQ')
    of_halves, of_words, of_longs = size // 2, size // 4, size // 8
    halves[0::of_halves] = operations.cpus
    halves[1::of_halves] = directions(operations)
    words[2::of_words] = operations.addresses
    longs[2::of_longs] = operations.values
    if masks:
        longs[3::of_longs] = array('Q', masks)
    failure = send_array(count, memory.buffer_info()[0])
    errors = column(memoryview(memory).cast('i')[1::of_words])
    errors = [-error for error in errors] if errors.tobytes().strip(b'\0') else [0] * count
    return failure, Results(errors, column(longs[2::of_longs]), column(longs[3::of_longs]))


def column(view):
    """Return an array of what a view that skips memory shows; its list would take ten times as long."""
    values = array(view.format)
    values.frombytes(view.tobytes())
    return values


def send(descriptor, request, argument):
    """Return the errno of an ioctl, 0 where it had none."""
    try:
        fcntl.ioctl(descriptor, request, argument)
    except OSError as error:
        return error.errno
    return 0


def require_carried_out(failure, errors):
    """Raise MsrSafeError where a batch failed as a whole (errno), and not for the sake of single operations."""
    if failure and (failure not in OPERATION_ERRORS or not any(errors)):
        raise MsrSafeError(
            'The batch of %d operations on %s failed: %s.' % (len(errors), BATCH, os.strerror(failure)),
            'The kernel log may say more: dmesg | tail.',
        )
