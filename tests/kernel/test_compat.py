# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""32-bit callers of /dev/cpu/msr_batch: 12-byte arrays, 28-byte operations.

int $0x80 is a 32-bit caller's system call also in a 64-bit process, if what it
points at lies below 4 GiB; so no 32-bit compiler is needed.
"""

import ctypes
import errno
import mmap
import os
import struct

import msr_devices
import pytest
from msr_devices import READ_ONLY, SCRATCH, SCRATCH_2, UNLISTED

IOCTL_32 = 0xC00C63A2
X32_IOCTL_CALL = 0x40000000 | 514
MAP_32BIT = 0x40
# push %rbx; mov $54 (ioctl),%eax; mov %edi,%ebx; mov %esi,%ecx; int $0x80; pop %rbx; ret
CODE = bytes.fromhex('53 b8 36 00 00 00 89 fb 89 f1 cd 80 5b c3')


class Operation32(ctypes.Structure):
    _pack_ = 4
    _fields_ = msr_devices.Operation._fields_


@pytest.fixture
def low_memory():
    memory = mmap.mmap(
        -1,
        1 << 16,
        flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT,
        prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC,
    )
    memory[: len(CODE)] = CODE
    return memory


def address_of(memory):
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def ioctl_32(memory, fd, command, argument):
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_uint, ctypes.c_uint)(address_of(memory))
    return function(fd, command, argument)


def run_batch_32(memory, operations, mode=os.O_RDWR):
    """Return (errno, operations as the kernel left them)."""
    array_at, ops_at = 256, 512
    assert address_of(memory) + len(memory) < 1 << 32
    data = b''.join(bytes(op) for op in operations)
    memory[ops_at : ops_at + len(data)] = data
    guard = ops_at + len(data)
    memory[guard : guard + 64] = b'\xa5' * 64
    memory[array_at : array_at + 12] = struct.pack('=III', len(operations), 0, address_of(memory) + ops_at)
    fd = os.open(msr_devices.BATCH, mode)
    returned = ioctl_32(memory, fd, IOCTL_32, address_of(memory) + array_at)
    os.close(fd)
    assert memory[guard : guard + 64] == b'\xa5' * 64
    done = [Operation32.from_buffer_copy(memory, ops_at + 28 * index) for index in range(len(operations))]
    return -returned, done


def ioctl_x32(fd, command, argument):
    """Return what the system call returns to a caller with 64-bit registers and 32-bit pointers."""
    if msr_devices.libc.syscall(ctypes.c_long(X32_IOCTL_CALL), fd, ctypes.c_ulong(command), ctypes.c_ulong(argument)):
        return -ctypes.get_errno()
    return 0


def op(cpu, msr, read, data=0xBAD):
    return Operation32(cpu=cpu, isrdmsr=read, err=12345, msr=msr, msrdata=data, wmask=0xBAD)


def test_sizes():
    assert ctypes.sizeof(Operation32) == 28


def test_reads_and_writes(low_memory):
    err, done = run_batch_32(
        low_memory,
        [
            op(0, SCRATCH, 0, 0x0123456789ABCDEF),
            op(0, SCRATCH, 1),
            op(0, SCRATCH_2, 1),
            op(0, READ_ONLY, 1),
        ],
    )
    assert err == 0
    assert [one.err for one in done] == [0, 0, 0, 0]
    assert [one.cpu for one in done] == [0, 0, 0, 0]
    assert done[1].msrdata == 0x0123456789ABCDEF
    assert done[0].msrdata == 0x0123456789ABCDEF
    assert [one.wmask for one in done] == [msr_devices.ALL_ONES, msr_devices.ALL_ONES, 0xFF00, 0]
    assert msr_devices.read_register(0, SCRATCH) == 0x0123456789ABCDEF


def test_refusals(low_memory):
    msr_devices.write_register(0, SCRATCH, 1)
    err, done = run_batch_32(low_memory, [op(0, SCRATCH, 0, 2), op(0, UNLISTED, 1), op(65535, SCRATCH, 1)])
    assert err == errno.EACCES
    assert [-one.err for one in done] == [errno.ECANCELED, errno.EACCES, errno.ENXIO]
    assert msr_devices.read_register(0, SCRATCH) == 1


def test_access_modes(low_memory):
    assert run_batch_32(low_memory, [op(0, SCRATCH, 0, 2)], os.O_RDONLY)[0] == errno.EBADF


def test_the_64_bit_number_is_enotty(low_memory, batch_fd):
    assert ioctl_32(low_memory, batch_fd, msr_devices.BATCH_IOCTL, address_of(low_memory) + 256) == -errno.ENOTTY


def test_bad_memory_is_efault(low_memory, batch_fd):
    assert ioctl_32(low_memory, batch_fd, IOCTL_32, 16) == -errno.EFAULT
    low_memory[256:268] = struct.pack('=III', 2, 0, 16)
    assert ioctl_32(low_memory, batch_fd, IOCTL_32, address_of(low_memory) + 256) == -errno.EFAULT


@pytest.mark.parametrize('count, err', [(0, errno.EINVAL), (msr_devices.BATCH_MAX + 1, errno.E2BIG)])
def test_limits(low_memory, batch_fd, count, err):
    low_memory[256:268] = struct.pack('=III', count, 0, address_of(low_memory) + 512)
    assert ioctl_32(low_memory, batch_fd, IOCTL_32, address_of(low_memory) + 256) == -err


def test_x32_has_short_pointers_and_the_operations_of_64_bits(low_memory, batch_fd):
    operations = [msr_devices.write_op(0, SCRATCH, 0x0123456789ABCDEF), msr_devices.read_op(0, SCRATCH_2)]
    array_at, ops_at = 256, 512
    low_memory[ops_at : ops_at + 64] = b''.join(bytes(operation) for operation in operations)
    low_memory[array_at : array_at + 12] = struct.pack('=III', 2, 0, address_of(low_memory) + ops_at)
    returned = ioctl_x32(batch_fd, IOCTL_32, address_of(low_memory) + array_at)
    if returned == -errno.ENOSYS:
        pytest.skip('this kernel serves no x32 programs')
    assert returned == 0
    done = [msr_devices.Operation.from_buffer_copy(low_memory, ops_at + 32 * index) for index in range(2)]
    assert [one.err for one in done] == [0, 0]
    assert [one.wmask for one in done] == [msr_devices.ALL_ONES, 0xFF00]
    assert msr_devices.read_register(0, SCRATCH) == 0x0123456789ABCDEF


def test_the_ioctls_that_are_the_same_for_all(low_memory, batch_fd):
    """Structures that begin with their size have one layout for 64-bit and 32-bit callers."""
    at = address_of(low_memory) + 256
    low_memory[256:260] = struct.pack('=I', 72)
    assert ioctl_32(low_memory, batch_fd, msr_devices.CAPABILITIES_IOCTL, at) == 0
    assert struct.unpack_from('=I', low_memory, 280)[0] == 1 << 16
    low_memory[256:272] = struct.pack('=IIII', 16, 0, 10, 0)
    assert ioctl_32(low_memory, batch_fd, msr_devices.LEASE_IOCTL, at) == 0
    timed = msr_devices.TimedOperation(cpu=0, msr=SCRATCH, data=0x0123456789ABCDEF)
    low_memory[512:560] = bytes(timed)
    low_memory[256:280] = struct.pack('=IIIIQ', 24, 0, 1, 48, address_of(low_memory) + 512)
    assert ioctl_32(low_memory, batch_fd, msr_devices.TIMED_BATCH_IOCTL, at) == 0
    done = msr_devices.TimedOperation.from_buffer_copy(low_memory, 512)
    assert (done.err, done.mask, bool(done.tsc)) == (0, msr_devices.ALL_ONES, True)
    assert msr_devices.read_register(0, SCRATCH) == 0x0123456789ABCDEF


def test_a_commit(low_memory):
    fd = os.open(msr_devices.APPROVED_LIST, os.O_WRONLY)
    os.write(fd, b'0x10 1')
    low_memory[256:264] = struct.pack('=II', 8, 0)
    assert ioctl_32(low_memory, fd, msr_devices.COMMIT_IOCTL, address_of(low_memory) + 256) == 0
    assert msr_devices.read_list() == msr_devices.render_list({0x10: 1})
    os.close(fd)
