# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Batches whose operations are stamped with the time."""

import errno
import os
import time

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
    run_timed_batch,
)

READ = 1


def read_op(cpu, msr):
    return TimedOperation(cpu=cpu, flags=READ, err=12345, msr=msr, data=0xBAD, mask=0xBAD, tsc=0xBAD, ns=0xBAD)


def write_op(cpu, msr, value):
    return TimedOperation(cpu=cpu, err=12345, msr=msr, data=value, mask=0xBAD, tsc=0xBAD, ns=0xBAD)


def test_reads_and_writes_of_many_cpus_in_any_order():
    cpus = node.online_cpus()
    batch = [write_op(cpu, SCRATCH, 0x100 + cpu) for cpu in cpus] + [read_op(cpu, SCRATCH) for cpu in reversed(cpus)]
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    err, done = run_timed_batch(batch)
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert (err, [op.err for op in done]) == (0, [0] * len(batch))
    assert [op.data for op in done[len(cpus) :]] == [0x100 + cpu for cpu in reversed(cpus)]
    assert {op.mask for op in done} == {msr_devices.ALL_ONES}
    assert all(before <= op.ns <= after for op in done)
    assert all(op.tsc for op in done)


def test_operations_of_a_cpu_are_stamped_in_their_order():
    err, done = run_timed_batch([read_op(cpu, SCRATCH) for _round in range(200) for cpu in node.online_cpus()])
    assert err == 0
    for cpu in node.online_cpus():
        mine = [op for op in done if op.cpu == cpu]
        assert [op.ns for op in mine] == sorted(op.ns for op in mine)
        assert len({op.tsc for op in mine}) == len(mine)
        assert [op.tsc for op in mine] == sorted(op.tsc for op in mine)


@pytest.mark.parametrize('count', [1, 4, 5, 1000])
def test_sizes(count):
    err, done = run_timed_batch([write_op(0, SCRATCH, number) for number in range(count)])
    assert err == 0 and all(op.tsc and op.ns for op in done)
    assert msr_devices.read_register(0, SCRATCH) == count - 1


def test_what_was_refused_has_no_stamp():
    err, done = run_timed_batch([read_op(0, SCRATCH), read_op(0, UNLISTED), write_op(0, READ_ONLY, 1)])
    assert err == errno.EACCES
    assert [-op.err for op in done] == [errno.ECANCELED, errno.EACCES, errno.EROFS]
    assert [(op.tsc, op.ns) for op in done] == [(0, 0)] * 3


def test_a_fault_marks_its_own_operation():
    err, done = run_timed_batch([write_op(0, FAULTING, FAULTING_VALUE), write_op(0, SCRATCH_2, 0x4500)])
    assert (err, [-op.err for op in done]) == (errno.EIO, [errno.EIO, 0])
    assert done[1].mask == 0xFF00


def test_what_it_does_not_know_is_refused_and_nothing_is_carried_out(batch_fd):
    msr_devices.write_register(0, SCRATCH, 1)
    good = write_op(0, SCRATCH, 2)
    reserved = write_op(0, SCRATCH, 3)
    reserved.reserved = 1
    flags = write_op(0, SCRATCH, 3)
    flags.flags = 2
    assert run_timed_batch([good, reserved])[0] == errno.EINVAL
    assert run_timed_batch([good, flags])[0] == errno.EINVAL
    assert run_timed_batch([good], flags=2)[0] == errno.EINVAL
    assert run_timed_batch([good], op_size=40)[0] == errno.EINVAL

    def ask(layout, *values, **more):
        return msr_devices.sized_ioctl(batch_fd, msr_devices.TIMED_BATCH_IOCTL, layout, *values, **more)[0]

    assert ask('IIIQ', 0, 1, 48, 0, size=20) == errno.EINVAL
    assert ask('IIIQI', 0, 1, 48, 0, 1) == errno.E2BIG
    assert ask('IIIQ', 0, 0, 48, 0) == errno.EINVAL
    assert ask('IIIQ', 0, msr_devices.BATCH_MAX + 1, 48, 0) == errno.E2BIG
    assert ask('IIIQ', 0, 1, 48, 4096) == errno.EFAULT
    assert msr_devices.read_register(0, SCRATCH) == 1


def test_access_modes():
    fd = os.open(msr_devices.BATCH, os.O_RDONLY)
    array = (TimedOperation * 1)(write_op(0, SCRATCH, 2))
    address = msr_devices.ctypes.addressof(array)
    err = msr_devices.sized_ioctl(fd, msr_devices.TIMED_BATCH_IOCTL, 'IIIQ', 0, 1, 48, address)[0]
    os.close(fd)
    assert (err, array[0].err) == (errno.EBADF, -errno.EBADF)
