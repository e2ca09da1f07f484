# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""pread(2) by a worker of io_uring: another thread than the one that asks, that may run on other CPUs."""

import ctypes
import mmap
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)

SETUP, ENTER = 425, 426
GETEVENTS = 1
READ = 22
ASYNC = 1 << 4  # in the flags of an entry: by a worker at once
ENTRIES_AT = 0x10000000

# struct io_uring_params: 10 numbers, then where things are in the rings
PARAMETERS = struct.Struct('=10I 8IQ 8IQ')
ENTRY = struct.Struct('=BBHiQQIIQ24x')


class NoUring(Exception):
    """This kernel has no io_uring, or does not let us use it."""


def pread(fd, length, offset):
    """Return what a worker has read as bytes, or raise its OSError."""
    parameters = ctypes.create_string_buffer(PARAMETERS.size)
    ring = libc.syscall(SETUP, 1, parameters)
    if ring < 0:
        raise NoUring(os.strerror(ctypes.get_errno()))
    try:
        told = PARAMETERS.unpack(parameters.raw)
        sq_tail, sq_array, cq_events = told[11], told[16], told[24]
        rings = mmap.mmap(ring, max(sq_array + 4, cq_events + 16 * told[1]))
        entries = mmap.mmap(ring, ENTRY.size, offset=ENTRIES_AT)
        memory = ctypes.create_string_buffer(length)
        ENTRY.pack_into(entries, 0, READ, ASYNC, 0, fd, offset, ctypes.addressof(memory), length, 0, 0)
        struct.pack_into('=I', rings, sq_array, 0)
        struct.pack_into('=I', rings, sq_tail, 1)
        if libc.syscall(ENTER, ring, 1, 1, GETEVENTS, None, 0) != 1:
            raise NoUring(os.strerror(ctypes.get_errno()))
        result = struct.unpack_from('=Qi', rings, cq_events)[1]
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return memory.raw[:result]
    finally:
        os.close(ring)
