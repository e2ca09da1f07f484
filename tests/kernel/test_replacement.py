# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Nothing slips between approval and access: the list in force as a register is accessed is the one that decides."""

import ctypes
import errno
import mmap
import os
import struct

import msr_devices
import node
import pytest
import user_fault
from msr_devices import ALL_ONES, BATCH_MAX, READ_ONLY, SCRATCH, SCRATCH_2, Operation, read_op, write_op

WITHOUT = msr_devices.render_list({READ_ONLY: 0})


@pytest.fixture
def page():
    page = user_fault.LatePage()
    yield page
    page.close()


def parked_pwrite(page, fd, register):
    return user_fault.Parked(
        page,
        msr_devices.libc.pwrite,
        fd,
        ctypes.c_void_p(page.address),
        ctypes.c_size_t(8),
        ctypes.c_long(register),
    )


def test_a_write_whose_value_comes_late_is_judged_when_it_has_come(page, cpu_fd):
    os.pwrite(cpu_fd, struct.pack('=Q', 1), SCRATCH)
    parked = parked_pwrite(page, cpu_fd, SCRATCH)
    assert msr_devices.write_list(WITHOUT) == ('', 0)
    assert parked.finish(struct.pack('=Q', 2)) == (-1, errno.EACCES)
    assert msr_devices.write_list(msr_devices.TEST_LIST) == ('', 0)
    assert os.pread(cpu_fd, 8, SCRATCH) == struct.pack('=Q', 1)


def test_a_write_whose_value_comes_late_is_bound_to_the_mask_then_in_force(page, cpu_fd):
    os.pwrite(cpu_fd, struct.pack('=Q', 0), SCRATCH)
    parked = parked_pwrite(page, cpu_fd, SCRATCH)
    assert msr_devices.write_list(msr_devices.render_list({SCRATCH: 0xFF})) == ('', 0)
    assert parked.finish(struct.pack('=Q', ALL_ONES)) == (8, 0)
    assert os.pread(cpu_fd, 8, SCRATCH) == struct.pack('=Q', 0xFF)


def test_a_batch_that_comes_late_is_judged_when_it_has_come(page, batch_fd, cpu_fd):
    os.pwrite(cpu_fd, struct.pack('=Q', 1), SCRATCH)
    array = msr_devices.BatchArray(numops=1, ops=page.address)
    parked = user_fault.Parked(
        page, msr_devices.libc.ioctl, batch_fd, ctypes.c_ulong(msr_devices.BATCH_IOCTL), ctypes.byref(array)
    )
    assert msr_devices.write_list(WITHOUT) == ('', 0)
    assert parked.finish(bytes(write_op(0, SCRATCH, 2))) == (-1, errno.EACCES)
    assert msr_devices.write_list(msr_devices.TEST_LIST) == ('', 0)
    assert os.pread(cpu_fd, 8, SCRATCH) == struct.pack('=Q', 1)


# On a busy host all of a batch may be over before its list can be replaced.
ATTEMPTS = 10


class LongBatch:
    """As many operations as a batch may have, carried out by a child; their results are to be seen while it runs."""

    def __init__(self, pattern):
        self.memory = mmap.mmap(-1, BATCH_MAX * 32)
        self.array = (Operation * BATCH_MAX).from_buffer(self.memory)
        block = bytes((Operation * len(pattern))(*pattern))
        self.memory[:] = (block * (BATCH_MAX // len(pattern) + 1))[: BATCH_MAX * 32]

    def run(self):
        """For node.child: returns the batch's errno."""
        fd = os.open(msr_devices.BATCH, os.O_RDWR)
        return msr_devices.batch_ioctl(fd, BATCH_MAX, ctypes.addressof(self.array))

    def errors(self):
        """Return the errno of each operation."""
        return [-err for err in memoryview(self.memory).cast('i')[1::8].tolist()]

    def masks(self):
        return memoryview(self.memory).cast('Q')[3::4].tolist()


class Replaced:
    """A batch of a pattern of writes to SCRATCH_2 of a CPU, whose list was replaced in its middle.

    at_once: what the register held when the new list was acknowledged; errors: of each operation; exit_status.
    """

    def __init__(self, cpu, pattern, before, after, error):
        for _attempt in range(ATTEMPTS):
            allow({SCRATCH: ALL_ONES, SCRATCH_2: ALL_ONES})
            msr_devices.write_register(cpu, SCRATCH_2, 0)
            allow(before)
            self.batch = LongBatch(pattern)
            with node.child(self.batch.run) as child:
                assert node.wait_for(lambda: msr_devices.read_register(cpu, SCRATCH_2))
                allow(after)
                self.at_once = msr_devices.read_register(cpu, SCRATCH_2)
                self.exit_status = os.WEXITSTATUS(os.waitpid(child, 0)[1])
            self.errors = self.batch.errors()
            if error in self.errors:
                return
        pytest.fail('the batch was over before its list could be replaced, %d times' % ATTEMPTS)


def allow(masks):
    assert msr_devices.write_list(msr_devices.render_list(masks)) == ('', 0)


# Of the register's bits the first list lets the batch change these, the second those.
BEFORE, AFTER = 0xFF00, 0x00FF


def test_once_a_replacement_is_acknowledged_nothing_happens_under_the_list_before():
    """A batch is held up in its middle: by another batch at the same CPU, and by its own length."""
    pattern = [write_op(1, SCRATCH_2, value * 0x0101) for value in range(1, 256)]
    replaced = Replaced(1, pattern, {SCRATCH_2: BEFORE}, {SCRATCH_2: 0}, errno.EROFS)
    assert msr_devices.read_register(1, SCRATCH_2) == replaced.at_once
    assert replaced.exit_status == errno.EROFS
    done = replaced.errors.index(errno.EROFS)
    assert 0 < done < BATCH_MAX
    assert set(replaced.errors[:done]) == {0} and set(replaced.errors[done:]) == {errno.EROFS}
    operations = replaced.batch.array
    assert operations[done - 1].wmask == BEFORE and operations[done].wmask == 0
    assert replaced.at_once == operations[done - 1].msrdata & BEFORE


def test_operations_that_the_new_list_still_allows_are_done_by_its_masks():
    """And masked writes to different bits both hold: those before, and those after."""
    pattern = [write_op(0, SCRATCH_2, 0x5555), read_op(0, SCRATCH), write_op(0, SCRATCH_2, 0xAAAA)]
    before, after = {SCRATCH: ALL_ONES, SCRATCH_2: BEFORE}, {SCRATCH_2: AFTER}
    replaced = Replaced(0, pattern, before, after, errno.EACCES)
    assert replaced.exit_status == errno.EACCES
    errors, masks = replaced.errors, replaced.batch.masks()
    denied = errors.index(errno.EACCES)
    assert set(errors[denied::3]) == {errno.EACCES} and set(masks[denied::3]) == {0}
    for later in (denied + 1, denied + 2):
        assert set(errors[later::3]) == {0} and set(masks[later::3]) == {AFTER}
    assert msr_devices.read_register(0, SCRATCH_2) & ~AFTER == replaced.at_once & ~AFTER
