# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""/dev/cpu/msr_batch"""

import ctypes
import errno
import fcntl
import mmap
import os
import signal
import struct

import msr_devices
import node
import pytest
from msr_devices import (
    BATCH_MAX,
    FAULTING,
    FAULTING_VALUE,
    READ_ONLY,
    SCRATCH,
    SCRATCH_2,
    UNLISTED,
    Operation,
    read_op,
    run_batch,
    write_op,
)

ABSENT_CPU = 65535


def errors(operations):
    return [-op.err for op in operations]


def test_sizes_of_the_contract():
    assert ctypes.sizeof(Operation) == 32
    assert ctypes.sizeof(msr_devices.BatchArray) == 16
    assert [Operation.msrdata.offset, Operation.wmask.offset] == [16, 24]


def test_reads_and_writes_on_every_cpu():
    cpus = node.online_cpus()
    err, done = run_batch([write_op(cpu, SCRATCH, 0xABC0 + cpu) for cpu in cpus])
    assert (err, errors(done)) == (0, [0] * len(cpus))
    err, done = run_batch([read_op(cpu, SCRATCH) for cpu in cpus])
    assert (err, errors(done)) == (0, [0] * len(cpus))
    assert [op.msrdata for op in done] == [0xABC0 + cpu for cpu in cpus]
    assert [msr_devices.read_register(cpu, SCRATCH) for cpu in cpus] == [0xABC0 + cpu for cpu in cpus]


def test_operations_of_a_cpu_in_array_order():
    cpus = node.online_cpus()
    rounds = 300
    batch = []
    for value in range(rounds):
        batch.extend(write_op(cpu, SCRATCH, value * 16 + cpu) for cpu in cpus)
        batch.extend(read_op(cpu, SCRATCH) for cpu in reversed(cpus))
    err, done = run_batch(batch)
    assert err == 0
    for op, asked in zip(done, batch):
        assert op.err == 0
        assert (op.cpu, op.msr, op.isrdmsr) == (asked.cpu, asked.msr, asked.isrdmsr)
    reads = [op for op in done if op.isrdmsr]
    expected = [value * 16 + cpu for value in range(rounds) for cpu in reversed(cpus)]
    assert [op.msrdata for op in reads] == expected


@pytest.mark.parametrize('version', [0, 1, 0xFFFFFFFF])
def test_version_means_nothing(version):
    assert run_batch([read_op(0, SCRATCH)], version=version)[0] == 0


@pytest.mark.parametrize('flag', [1, 2, 255, 0x8000, 0xFFFF])
def test_any_flag_but_0_reads(flag):
    msr_devices.write_register(0, SCRATCH, 4711)
    err, done = run_batch([read_op(0, SCRATCH, flag)])
    assert (err, done[0].err, done[0].msrdata) == (0, 0, 4711)


def test_wmask_comes_with_reads_and_writes():
    err, done = run_batch(
        [
            read_op(0, SCRATCH),
            read_op(0, SCRATCH_2),
            read_op(0, READ_ONLY),
            write_op(0, SCRATCH_2, 0),
        ]
    )
    assert err == 0
    assert [op.wmask for op in done] == [msr_devices.ALL_ONES, 0xFF00, 0, 0xFF00]


def test_a_write_changes_the_bits_of_the_mask_only():
    everything = msr_devices.render_list({SCRATCH_2: msr_devices.ALL_ONES})
    assert msr_devices.write_list(everything) == ('', 0)
    msr_devices.write_register(0, SCRATCH_2, 0x2222222222222222)
    assert msr_devices.write_list(msr_devices.TEST_LIST) == ('', 0)
    assert run_batch([write_op(0, SCRATCH_2, 0xFFFFFFFFFFFF45FF)])[0] == 0
    assert msr_devices.read_register(0, SCRATCH_2) == 0x2222222222224522


@pytest.mark.parametrize(
    'bad, err',
    [
        (read_op(ABSENT_CPU, SCRATCH), errno.ENXIO),
        (write_op(ABSENT_CPU, SCRATCH, 1), errno.ENXIO),
        (read_op(0, UNLISTED), errno.EACCES),
        (write_op(0, UNLISTED, 1), errno.EACCES),
        (write_op(0, READ_ONLY, 1), errno.EROFS),
    ],
)
def test_one_refused_operation_and_none_is_carried_out(bad, err):
    msr_devices.write_register(0, SCRATCH, 1)
    returned, done = run_batch([write_op(0, SCRATCH, 2), bad, write_op(0, SCRATCH, 3), read_op(0, SCRATCH)])
    assert returned == err
    assert errors(done) == [errno.ECANCELED, err, errno.ECANCELED, errno.ECANCELED]
    assert done[3].msrdata == 0xBAD
    assert msr_devices.read_register(0, SCRATCH) == 1


def test_every_refused_operation_says_why_and_the_first_is_returned():
    returned, done = run_batch(
        [
            read_op(0, SCRATCH),
            write_op(0, READ_ONLY, 1),
            read_op(ABSENT_CPU, SCRATCH),
            read_op(0, UNLISTED),
        ]
    )
    assert returned == errno.EROFS
    assert errors(done) == [errno.ECANCELED, errno.EROFS, errno.ENXIO, errno.EACCES]


def test_an_offline_cpu_is_enxio(offline_cpu):
    returned, done = run_batch([read_op(0, SCRATCH), read_op(offline_cpu, SCRATCH)])
    assert returned == errno.ENXIO
    assert errors(done) == [errno.ECANCELED, errno.ENXIO]


def test_a_fault_marks_its_own_operation():
    msr_devices.write_register(0, SCRATCH, 1)
    returned, done = run_batch(
        [
            write_op(0, SCRATCH, 2),
            write_op(0, FAULTING, FAULTING_VALUE),
            write_op(0, SCRATCH, 3),
            read_op(0, SCRATCH),
        ]
    )
    assert returned == errno.EIO
    assert errors(done) == [0, errno.EIO, 0, 0]
    assert done[3].msrdata == 3


def test_no_operations_is_einval(batch_fd):
    assert msr_devices.batch_ioctl(batch_fd, 0, 0) == errno.EINVAL


@pytest.mark.parametrize('count', [BATCH_MAX + 1, 1 << 31, 0xFFFFFFFF])
def test_too_many_operations_is_e2big_without_a_kernel_warning(batch_fd, log, count):
    assert msr_devices.batch_ioctl(batch_fd, count, 0) == errno.E2BIG
    assert [line for line in log.read() if 'WARNING' in line or 'allocation failure' in line] == []


def test_as_many_operations_as_the_limit(batch_fd):
    cpus = node.online_cpus()
    array = repeat([read_op(cpu, SCRATCH) for cpu in cpus], BATCH_MAX)
    for cpu in cpus:
        msr_devices.write_register(cpu, SCRATCH, 0x5EED + cpu)
    assert msr_devices.batch_ioctl(batch_fd, BATCH_MAX, ctypes.addressof(array)) == 0
    for index in [*range(0, BATCH_MAX, 9973), BATCH_MAX - 1]:
        assert (array[index].err, array[index].msrdata) == (0, 0x5EED + array[index].cpu)


@pytest.mark.parametrize('address', [0, 4096, (1 << 63) - 16, 1 << 63])
def test_bad_operations_pointer_is_efault(batch_fd, address):
    assert msr_devices.batch_ioctl(batch_fd, 4, address) == errno.EFAULT


@pytest.mark.parametrize('address', [0, 4096, 1 << 63])
def test_bad_array_pointer_is_efault(batch_fd, address):
    call = msr_devices.libc.ioctl
    assert call(batch_fd, ctypes.c_ulong(msr_devices.BATCH_IOCTL), ctypes.c_void_p(address)) == -1
    assert ctypes.get_errno() == errno.EFAULT


def test_a_write_needs_a_descriptor_open_for_writing():
    msr_devices.write_register(0, SCRATCH, 1)
    returned, done = run_batch([read_op(0, SCRATCH), write_op(0, SCRATCH, 2)], os.O_RDONLY)
    assert returned == errno.EBADF
    assert errors(done) == [errno.ECANCELED, errno.EBADF]
    assert msr_devices.read_register(0, SCRATCH) == 1
    assert run_batch([read_op(0, SCRATCH)], os.O_RDONLY)[0] == 0


def test_a_read_needs_a_descriptor_open_for_reading():
    returned, done = run_batch([write_op(0, SCRATCH, 2), read_op(0, SCRATCH)], os.O_WRONLY)
    assert returned == errno.EBADF
    assert errors(done) == [errno.ECANCELED, errno.EBADF]
    assert run_batch([write_op(0, SCRATCH, 2)], os.O_WRONLY)[0] == 0


@pytest.mark.parametrize('command', [0, 0xC01063A1, 0xC00C63A2, 0xC02063A2, 0x5401, 0xFFFFFFFF])
def test_any_other_ioctl_is_enotty(batch_fd, command):
    assert msr_devices.errno_of(fcntl.ioctl, batch_fd, command, bytearray(64)) == errno.ENOTTY


def repeat(pattern, count):
    """Return an array of count operations that repeats the pattern, made quickly."""
    array = (Operation * count)(*pattern)
    filled = len(pattern)
    while filled < count:
        length = min(filled, count - filled)
        ctypes.memmove(ctypes.byref(array, filled * 32), array, length * 32)
        filled += length
    return array


def test_bits_outside_of_the_mask_stay_whoever_writes_at_once(cpu_fd):
    assert msr_devices.write_list(msr_devices.render_list({SCRATCH_2: msr_devices.ALL_ONES})) == ('', 0)
    msr_devices.write_register(0, SCRATCH_2, 0)
    assert msr_devices.write_list(msr_devices.TEST_LIST) == ('', 0)
    pattern = []
    for value in range(1, 256):
        pattern.extend([read_op(0, SCRATCH_2), write_op(0, SCRATCH_2, value * 0x0101)])
    array = repeat(pattern, BATCH_MAX // 4)

    def run():
        fd = os.open(msr_devices.BATCH, os.O_RDWR)
        return msr_devices.batch_ioctl(fd, len(array), ctypes.addressof(array))

    with node.child(run) as child:
        assert node.wait_for(lambda: msr_devices.read_register(0, SCRATCH_2))
        written = 0
        status = 0, 0
        while status == (0, 0):
            written += 1
            os.pwrite(cpu_fd, struct.pack('=Q', written), SCRATCH_2)
            value = struct.unpack('=Q', os.pread(cpu_fd, 8, SCRATCH_2))[0]
            assert value & ~0xFF00 == 0
            status = os.waitpid(child, os.WNOHANG)
    assert os.WEXITSTATUS(status[1]) == 0
    assert written > 10, 'the batch was over too soon for this test to mean anything'


def test_memory_is_charged_to_the_callers_cgroup(batch_fd):
    array = repeat([read_op(0, SCRATCH)], BATCH_MAX)
    status = node.run_in_little_memory(
        16 << 20, lambda: msr_devices.batch_ioctl(batch_fd, BATCH_MAX, ctypes.addressof(array))
    )
    assert os.WIFEXITED(status), 'killed by signal %d' % os.WTERMSIG(status)
    assert os.WEXITSTATUS(status) == errno.ENOMEM


def test_a_batch_without_memory_leaves_its_operations_as_they_were(batch_fd):
    """Wherever memory is short: for the operations, or to sort them by CPU."""
    count, cpus = 1 << 16, node.online_cpus()[:2]
    memory = mmap.mmap(-1, count * 32)
    array = (Operation * count).from_buffer(memory)
    asked = bytes(repeat([read_op(cpu, SCRATCH) for cpu in cpus], count))
    statuses = set()
    for size in range(1 << 20, 12 << 20, 1 << 19):
        memory[:] = asked
        status = node.run_in_little_memory(
            size, lambda: msr_devices.batch_ioctl(batch_fd, count, ctypes.addressof(array))
        )
        if os.WIFSIGNALED(status):
            continue  # Python itself had too little
        statuses.add(os.WEXITSTATUS(status))
        are_as_they_were = memory[:] == asked  # Not in the assertion, whose words would compare megabytes
        assert os.WEXITSTATUS(status) != errno.ENOMEM or are_as_they_were, 'in %d bytes' % size
    assert statuses == {0, errno.ENOMEM}


def test_a_fatal_signal_ends_a_large_batch():
    """The array is shared memory, so what the dead caller was told can be seen."""
    count = BATCH_MAX
    memory = mmap.mmap(-1, count * 32)
    array = (Operation * count).from_buffer(memory)

    def run():
        fd = os.open(msr_devices.BATCH, os.O_RDWR)
        return msr_devices.batch_ioctl(fd, count, ctypes.addressof(array))

    def first_undone_of_killed():
        """None where the batch was over before the signal came."""
        ctypes.memmove(array, repeat([write_op(0, SCRATCH, 1)], count), count * 32)
        msr_devices.write_register(0, SCRATCH, 0)
        with node.child(run) as child:
            assert node.wait_for(lambda: msr_devices.read_register(0, SCRATCH) == 1)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        return next((index for index in range(count) if array[index].err), None)

    first_undone = next(filter(None, (first_undone_of_killed() for _attempt in range(10))), None)
    assert first_undone, 'every batch was over too soon for this test to mean anything'
    assert {-array[index].err for index in range(first_undone, count)} == {errno.ECANCELED}
