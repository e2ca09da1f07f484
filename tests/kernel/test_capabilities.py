# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What the module says it can do."""

import errno
import fcntl
import os
import struct

import msr_devices
import pytest

LAYOUT = 'IQIIIIII32s'
SIZE = 72


def ask(fd, **more):
    """Return (errno, [size, all fields]); room beyond the structure is filled with rubbish before."""
    argument = bytearray(b'\xa5' * (SIZE + more.get('room', 0)))
    struct.pack_into('=I', argument, 0, more.get('size', len(argument)))
    err = msr_devices.errno_of(fcntl.ioctl, fd, msr_devices.CAPABILITIES_IOCTL, argument)
    return err, list(struct.unpack_from('=I' + LAYOUT, argument)), argument[SIZE:]


def test_version_limits_and_features(batch_fd):
    err, fields, _rest = ask(batch_fd)
    size, reserved, features, operations, list_bytes, lease, slice_operations, slice_ns, reserved2, version = fields
    assert (err, size, reserved, reserved2) == (0, SIZE, 0, 0)
    assert features & 7 == 7
    assert (operations, list_bytes, lease) == (msr_devices.BATCH_MAX, 1 << 20, 65536)
    assert 0 < slice_operations <= 256 and 0 < slice_ns <= 50000
    with open(msr_devices.VERSION) as file:
        assert version.rstrip(b'\0').decode() == file.read().strip()


def test_a_reader_may_ask():
    fd = os.open(msr_devices.BATCH, os.O_RDONLY)
    assert ask(fd)[0] == 0
    os.close(fd)


@pytest.mark.parametrize('size', [4, 16, 71])
def test_an_older_client_gets_what_it_has_room_for(batch_fd, size):
    argument = bytearray(b'\xa5' * SIZE)
    struct.pack_into('=I', argument, 0, size)
    fcntl.ioctl(batch_fd, msr_devices.CAPABILITIES_IOCTL, argument)
    assert struct.unpack_from('=I', argument)[0] == SIZE
    assert argument[size:] == b'\xa5' * (SIZE - size)


def test_a_newer_client_gets_zeros_beyond(batch_fd):
    err, fields, rest = ask(batch_fd, room=40)
    assert (err, fields[0], bytes(rest)) == (0, SIZE, bytes(40))


@pytest.mark.parametrize('size, err', [(0, errno.EINVAL), (3, errno.EINVAL), (1 << 31, errno.E2BIG)])
def test_bad_sizes(batch_fd, size, err):
    assert ask(batch_fd, size=size)[0] == err


def test_bad_memory_is_efault(batch_fd):
    call = msr_devices.libc.ioctl
    for command in (
        msr_devices.CAPABILITIES_IOCTL,
        msr_devices.LEASE_IOCTL,
        msr_devices.TIMED_BATCH_IOCTL,
    ):
        assert call(batch_fd, msr_devices.ctypes.c_ulong(command), msr_devices.ctypes.c_void_p(16)) == -1
        assert msr_devices.ctypes.get_errno() == errno.EFAULT
