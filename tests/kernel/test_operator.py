# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""An operator's access: of whoever has CAP_SYS_RAWIO, whatever the list of users says."""

import ctypes
import errno
import os
import struct

import msr_devices
import node
import pytest
from msr_devices import (
    FAULTING,
    FAULTING_VALUE,
    READ_ONLY,
    SCRATCH,
    SCRATCH_2,
    UNLISTED,
    TimedOperation,
    begin_lease,
    run_batch_of,
    run_timed_batch,
)
from test_lockdown import is_locked_down

OPERATOR = 1
NOBODY = 65534
CAP_SYS_RAWIO = 17
CLONE_NEWUSER = 0x10000000


def read_op(cpu, msr):
    return TimedOperation(cpu=cpu, flags=1, err=12345, msr=msr, data=0xBAD, mask=0xBAD)


def write_op(cpu, msr, value, mask=msr_devices.ALL_ONES):
    return TimedOperation(cpu=cpu, err=12345, msr=msr, data=value, mask=mask)


def operate(*operations):
    """Return (errno, operations as the kernel left them)."""
    return run_timed_batch(operations, flags=OPERATOR)


def operate_through(fd, *operations):
    """Return the errno of an operator's batch through this descriptor."""
    array = (TimedOperation * len(operations))(*operations)
    layout = OPERATOR, len(operations), 48, ctypes.addressof(array)
    return msr_devices.sized_ioctl(fd, msr_devices.TIMED_BATCH_IOCTL, 'IIIQ', *layout)[0]


@pytest.fixture(autouse=True)
def not_locked_down():
    if is_locked_down():
        pytest.skip('registers cannot be written here')


def test_registers_that_the_list_lacks_are_read_and_written_and_the_list_stays():
    before = msr_devices.read_list()
    err, done = operate(write_op(0, UNLISTED, 0x1230), read_op(0, UNLISTED))
    assert (err, [op.err for op in done], done[1].data) == (0, [0, 0], 0x1230)
    assert msr_devices.read_list() == before


def test_a_user_gains_nothing_by_it(batch_fd):
    operate(write_op(0, UNLISTED, 0x1230))
    err, done = run_timed_batch([read_op(0, UNLISTED)])
    assert (err, done[0].err) == (errno.EACCES, -errno.EACCES)
    assert run_batch_of(batch_fd, [msr_devices.write_op(0, READ_ONLY, 0)])[0] == errno.EROFS


@pytest.mark.parametrize('mask', [0xFF00, 0xF])
def test_the_bits_are_those_that_the_operator_names_and_not_the_lists(mask):
    """The list has 0xFF00 for this register."""
    assert operate(write_op(0, SCRATCH_2, 0x4500))[0] == 0
    err, done = operate(write_op(0, SCRATCH_2, 0x12345, mask), read_op(0, SCRATCH_2))
    assert err == 0 and done[0].mask == mask
    assert done[1].data == (0x4500 & ~mask) | (0x12345 & mask)


def test_a_write_of_no_bits_is_erofs_and_nothing_is_carried_out():
    operate(write_op(0, SCRATCH, 1))
    err, done = operate(write_op(0, SCRATCH, 2), write_op(0, UNLISTED, 2, mask=0))
    assert (err, [-op.err for op in done]) == (errno.EROFS, [errno.ECANCELED, errno.EROFS])
    assert msr_devices.read_register(0, SCRATCH) == 1


def test_a_fault_marks_its_own_operation():
    err, done = operate(write_op(0, FAULTING, FAULTING_VALUE), write_op(0, UNLISTED, 0x4560))
    assert (err, [-op.err for op in done]) == (errno.EIO, [errno.EIO, 0])


def test_each_cpu_does_its_own():
    cpus = node.online_cpus()
    batch = [write_op(cpu, UNLISTED, 0x1000 * (cpu + 1)) for cpu in cpus]
    err, done = operate(*batch, *[read_op(cpu, UNLISTED) for cpu in reversed(cpus)])
    assert err == 0
    assert [op.data for op in done[len(cpus) :]] == [0x1000 * (cpu + 1) for cpu in reversed(cpus)]


def test_an_empty_list_is_no_hindrance():
    assert msr_devices.write_list('\n') == ('', 0)
    assert operate(write_op(0, UNLISTED, 0), read_op(0, SCRATCH))[0] == 0


def as_nobody(function):
    """Return the exit status of a child without privileges that calls the function."""

    def become_and_call():
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return function()

    with node.child(become_and_call) as pid:
        return os.WEXITSTATUS(os.waitpid(pid, 0)[1])


def test_who_calls_needs_the_capability_with_each_call(batch_fd):
    """A descriptor that root opened, and used so, is no pass."""
    operate(write_op(0, UNLISTED, 0x1230))
    assert operate_through(batch_fd, read_op(0, UNLISTED)) == 0
    for operation in (read_op(0, UNLISTED), write_op(0, UNLISTED, 0), read_op(0, SCRATCH)):
        assert as_nobody(lambda each=operation: operate_through(batch_fd, each)) == errno.EPERM
    assert operate(read_op(0, UNLISTED))[1][0].data == 0x1230


def test_who_opened_the_file_needs_it_too():
    """Root may be made to use what a user has opened."""
    os.chmod(msr_devices.BATCH, 0o666)
    try:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        fd = os.open(msr_devices.BATCH, os.O_RDWR)
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.chmod(msr_devices.BATCH, 0o600)
    assert operate_through(fd, read_op(0, UNLISTED)) == errno.EPERM
    os.close(fd)


def test_root_of_a_user_namespace_is_nobody_here(batch_fd):
    def unshare_and_ask():
        if msr_devices.libc.unshare(CLONE_NEWUSER):
            return 99
        return operate_through(batch_fd, read_op(0, UNLISTED))

    with node.child(unshare_and_ask) as pid:
        status = os.WEXITSTATUS(os.waitpid(pid, 0)[1])
    if status == 99:
        pytest.skip('no user namespaces here')
    assert status == errno.EPERM


def test_root_without_the_capability_may_not(batch_fd):
    def drop_and_ask():
        # capget(2), version 3: two times effective, permitted, inheritable
        header, data = struct.pack('=Ii', 0x20080522, 0), (ctypes.c_uint32 * 6)()
        assert msr_devices.libc.capget(header, data) == 0
        data[0] &= ~(1 << CAP_SYS_RAWIO)
        assert msr_devices.libc.capset(header, data) == 0
        return operate_through(batch_fd, read_op(0, UNLISTED))

    with node.child(drop_and_ask) as pid:
        assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == errno.EPERM


def test_writing_needs_a_file_that_is_open_for_it():
    fd = os.open(msr_devices.BATCH, os.O_RDONLY)
    assert operate_through(fd, read_op(0, UNLISTED)) == 0
    assert operate_through(fd, write_op(0, UNLISTED, 1)) == errno.EBADF
    os.close(fd)


def test_a_lease_is_not_an_operators(batch_fd):
    assert begin_lease(batch_fd) == 0
    assert operate_through(batch_fd, read_op(0, UNLISTED)) == errno.EINVAL


def test_the_log_says_how_many_were_written_and_by_whom(log):
    operate(read_op(0, UNLISTED))
    assert not [line for line in log.read() if 'operator' in line]
    operate(write_op(0, UNLISTED, 0), write_op(0, FAULTING, FAULTING_VALUE), read_op(0, UNLISTED))
    (line,) = [line for line in log.read() if 'operator' in line]
    assert "msr_safe: an operator's writes: 1, whatever the list, by " in line
    assert line.endswith('[%d] of uid 0' % os.getpid())


def test_the_capabilities_tell(batch_fd):
    ask = msr_devices.sized_ioctl(batch_fd, msr_devices.CAPABILITIES_IOCTL, 'IQIIIIII32s', *[0] * 8, b'')
    assert ask[1][2] & 0x10
