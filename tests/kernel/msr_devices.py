# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A client of the module's devices, written from the contract alone."""

import ctypes
import fcntl
import os
import struct

BATCH = '/dev/cpu/msr_batch'
APPROVED_LIST = '/dev/cpu/msr_approved_list'
VERSION = '/dev/cpu/msr_safe_version'

BATCH_IOCTL = 0xC01063A2
CAPABILITIES_IOCTL = 0x63A3
LEASE_IOCTL = 0x63A4
TIMED_BATCH_IOCTL = 0x63A5
COMMIT_IOCTL = 0x63A6
BATCH_MAX = 1 << 20

ALL_ONES = (1 << 64) - 1

# Registers that hold what is written, per CPU, also in an emulated machine
# (variable MTRRs, unused and not enabled), and one that no machine has.
SCRATCH = 0x20E
SCRATCH_2 = 0x20C
READ_ONLY = 0x277
UNLISTED = 0x20A
# IA32_PKRS refuses a value wider than 32 bits, in QEMU as in a processor.
FAULTING = 0x6E1
FAULTING_VALUE = 1 << 32

TEST_LIST = """\
# address          write mask
0x0000020E 0xFFFFFFFFFFFFFFFF
0x0000020C 0x000000000000FF00
0x00000277 0x0000000000000000
0x000006E1 0xFFFFFFFFFFFFFFFF
"""

libc = ctypes.CDLL(None, use_errno=True)


class Operation(ctypes.Structure):
    _fields_ = [
        ('cpu', ctypes.c_uint16),
        ('isrdmsr', ctypes.c_uint16),
        ('err', ctypes.c_int32),
        ('msr', ctypes.c_uint32),
        ('msrdata', ctypes.c_uint64),
        ('wmask', ctypes.c_uint64),
    ]


class BatchArray(ctypes.Structure):
    _fields_ = [
        ('numops', ctypes.c_uint32),
        ('version', ctypes.c_uint32),
        ('ops', ctypes.c_uint64),
    ]


class TimedOperation(ctypes.Structure):
    _fields_ = [
        ('cpu', ctypes.c_uint16),
        ('flags', ctypes.c_uint16),
        ('err', ctypes.c_int32),
        ('msr', ctypes.c_uint32),
        ('reserved', ctypes.c_uint32),
        ('data', ctypes.c_uint64),
        ('mask', ctypes.c_uint64),
        ('tsc', ctypes.c_uint64),
        ('ns', ctypes.c_uint64),
    ]


def read_op(cpu, msr, flag=1):
    # err and wmask hold rubbish, so that what comes back was put there.
    return Operation(cpu=cpu, isrdmsr=flag, msr=msr, err=12345, wmask=0xBAD, msrdata=0xBAD)


def write_op(cpu, msr, value):
    return Operation(cpu=cpu, isrdmsr=0, msr=msr, err=12345, wmask=0xBAD, msrdata=value)


def batch_ioctl(fd, numops, address, version=0):
    """Return the errno of one batch ioctl, 0 if it succeeded."""
    array = BatchArray(numops=numops, version=version, ops=address)
    return errno_of(fcntl.ioctl, fd, BATCH_IOCTL, bytearray(array))


def run_batch(operations, mode=os.O_RDWR, version=0):
    """Return (errno, operations as the kernel left them)."""
    array = (Operation * len(operations))(*operations)
    fd = os.open(BATCH, mode)
    try:
        err = batch_ioctl(fd, len(operations), ctypes.addressof(array), version)
    finally:
        os.close(fd)
    return err, list(array)


def run_batch_of(fd, operations):
    """Return (errno, operations as the kernel left them) of a batch through this descriptor."""
    array = (Operation * len(operations))(*operations)
    return batch_ioctl(fd, len(operations), ctypes.addressof(array)), list(array)


def sized_ioctl(fd, command, layout, *values, size=None, room=0):
    """Return (errno, all numbers after the size) of an ioctl whose structure begins with its size.

    layout: of what follows the size, as of struct; room: bytes of 0 that follow
    """
    argument = bytearray(struct.pack('=I' + layout, 0, *values) + bytes(room))
    struct.pack_into('=I', argument, 0, len(argument) if size is None else size)
    err = errno_of(fcntl.ioctl, fd, command, argument)
    return err, struct.unpack_from('=I' + layout, argument)


def begin_lease(fd, capacity=0):
    """Return the errno of asking for a lease."""
    return sized_ioctl(fd, LEASE_IOCTL, 'III', 0, capacity, 0)[0]


def commit(fd):
    """Return the errno of putting in force what was written to the list."""
    return sized_ioctl(fd, COMMIT_IOCTL, 'I', 0)[0]


def run_timed_batch(operations, flags=0, op_size=48):
    """Return (errno, operations as the kernel left them)."""
    array = (TimedOperation * len(operations))(*operations)
    fd = os.open(BATCH, os.O_RDWR)
    try:
        address = ctypes.addressof(array)
        err, _fields = sized_ioctl(fd, TIMED_BATCH_IOCTL, 'IIIQ', flags, len(operations), op_size, address)
    finally:
        os.close(fd)
    return err, list(array)


def errno_of(function, *arguments):
    """Return the errno that the call fails with, 0 if it does not."""
    try:
        function(*arguments)
    except OSError as error:
        return error.errno
    return 0


def cpu_node(cpu):
    return '/dev/cpu/%d/msr_safe' % cpu


def read_register(cpu, address):
    fd = os.open(cpu_node(cpu), os.O_RDONLY)
    try:
        return struct.unpack('=Q', os.pread(fd, 8, address))[0]
    finally:
        os.close(fd)


def write_register(cpu, address, value):
    fd = os.open(cpu_node(cpu), os.O_WRONLY)
    try:
        assert os.pwrite(fd, struct.pack('=Q', value), address) == 8
    finally:
        os.close(fd)


def write_list(text, chunk=None):
    """Return (call that failed, its errno), or ('', 0) once the list is in force."""
    data = text if isinstance(text, bytes) else text.encode('ascii')
    chunk = chunk or len(data) or 1
    fd = os.open(APPROVED_LIST, os.O_WRONLY)
    failed = '', 0
    try:
        for start in range(0, len(data), chunk):
            assert os.write(fd, data[start : start + chunk]) == len(data[start : start + chunk])
    except OSError as error:
        failed = 'write', error.errno
    err = errno_of(os.close, fd)
    if failed[1]:
        # Closing says again that what was written is not in force.
        assert err == failed[1]
        return failed
    return ('close', err) if err else ('', 0)


def read_list(chunk=65536):
    fd = os.open(APPROVED_LIST, os.O_RDONLY)
    try:
        return b''.join(iter(lambda: os.read(fd, chunk), b'')).decode('ascii')
    finally:
        os.close(fd)


def render_list(entries):
    """Return the text that the device gives for {address: mask}."""
    lines = ['# address          write mask\n']
    lines.extend('0x%08X 0x%016X\n' % entry for entry in sorted(entries.items()))
    return ''.join(lines)
