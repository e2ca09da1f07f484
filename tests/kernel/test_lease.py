# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A lease: registers that come back by themselves when the file is closed."""

import errno
import functools
import os
import signal
import time

import msr_devices
import node
import pytest
from msr_devices import FAULTING, FAULTING_VALUE, SCRATCH, SCRATCH_2, read_op, read_register, run_batch_of, write_op

BEFORE = 0x1111000000000000


@pytest.fixture(autouse=True)
def known_values():
    for cpu in node.online_cpus():
        msr_devices.write_register(cpu, SCRATCH, BEFORE + cpu)
        msr_devices.write_register(cpu, SCRATCH_2, 0)


@pytest.fixture
def lease_fd():
    """A file with a lease, which the test may close."""
    fd = leased()
    yield fd
    try:
        os.close(fd)
    except OSError as error:
        assert error.errno == errno.EBADF


def leased(capacity=0):
    fd = os.open(msr_devices.BATCH, os.O_RDWR)
    assert msr_devices.begin_lease(fd, capacity) == 0
    return fd


def write(fd, cpu, register, value):
    """Return the errno of one write through the file."""
    err, done = run_batch_of(fd, [write_op(cpu, register, value)])
    assert err == -done[0].err
    return err


def test_what_was_changed_comes_back_at_the_close(lease_fd):
    cpus = node.online_cpus()
    assert run_batch_of(lease_fd, [write_op(cpu, SCRATCH, 0x77) for cpu in cpus])[0] == 0
    assert run_batch_of(lease_fd, [write_op(cpu, SCRATCH, 0x88) for cpu in cpus])[0] == 0
    assert [read_register(cpu, SCRATCH) for cpu in cpus] == [0x88] * len(cpus)
    os.close(lease_fd)
    assert [read_register(cpu, SCRATCH) for cpu in cpus] == [BEFORE + cpu for cpu in cpus]


def test_without_a_lease_it_stays(batch_fd):
    assert write(batch_fd, 0, SCRATCH, 0x77) == 0
    os.close(os.dup(batch_fd))
    assert read_register(0, SCRATCH) == 0x77


def test_only_the_bits_that_were_changed_come_back(lease_fd):
    assert write(lease_fd, 0, SCRATCH, BEFORE | 0xF0) == 0
    msr_devices.write_register(0, SCRATCH, BEFORE | 0xF0 | 0x0F)
    os.close(lease_fd)
    assert read_register(0, SCRATCH) == BEFORE | 0x0F


def test_bits_that_are_changed_later_come_back_too(lease_fd):
    for bit in range(64):
        value = read_register(0, SCRATCH)
        assert write(lease_fd, 0, SCRATCH, value ^ 1 << bit) == 0
    assert read_register(0, SCRATCH) == BEFORE ^ msr_devices.ALL_ONES
    os.close(lease_fd)
    assert read_register(0, SCRATCH) == BEFORE


def test_it_ends_with_the_last_descriptor(lease_fd):
    other = os.dup(lease_fd)
    assert write(lease_fd, 0, SCRATCH, 0x77) == 0
    os.close(lease_fd)
    assert read_register(0, SCRATCH) == 0x77
    with node.child(lambda: write(other, 0, SCRATCH_2, 0x7700)) as pid:
        assert os.waitpid(pid, 0)[1] == 0
    assert (read_register(0, SCRATCH), read_register(0, SCRATCH_2) & 0xFF00) == (0x77, 0x7700)
    os.close(other)
    assert (read_register(0, SCRATCH), read_register(0, SCRATCH_2) & 0xFF00) == (BEFORE, 0)


def change_and_end(end):
    """A child changes registers of all CPUs under a lease, and comes to this end."""
    cpus = node.online_cpus()

    def change():
        fd = leased()
        assert run_batch_of(fd, [write_op(cpu, SCRATCH, 0x77) for cpu in cpus])[0] == 0
        return end()

    with node.child(change) as pid:
        status = os.waitpid(pid, 0)[1]
    assert [read_register(cpu, SCRATCH) for cpu in cpus] == [BEFORE + cpu for cpu in cpus]
    return status


def test_it_comes_back_after_a_normal_end():
    assert change_and_end(lambda: 3) >> 8 == 3


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_it_comes_back_after_a_signal(number):
    def die():
        os.kill(os.getpid(), number)
        time.sleep(60)

    assert change_and_end(die) & 0x7F == number


def test_it_comes_back_after_an_end_for_lack_of_memory():
    def change_and_eat():
        fd = leased()
        assert write(fd, 0, SCRATCH, 0x77) == 0
        eaten = []
        while True:
            eaten.append(bytearray(b'x' * (1 << 20)))

    status = node.run_in_little_memory(24 << 20, change_and_eat)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert node.wait_for(lambda: read_register(0, SCRATCH) == BEFORE, 10)


def test_its_memory_is_charged_to_the_caller():
    """And too little is an error. But what Python itself needs may be what does not fit: then its process is killed."""

    def begin_many(capacity):
        """Three megabytes each, or less."""
        for _lease in range(1000):
            err = msr_devices.begin_lease(os.open(msr_devices.BATCH, os.O_RDWR), capacity)
            if err:
                return err
        return 0

    ends = [
        node.run_in_little_memory(24 << 20, functools.partial(begin_many, capacity))
        for capacity in (65536, 50000, 40000)
    ]
    exits = {os.WEXITSTATUS(status) for status in ends if os.WIFEXITED(status)}
    assert exits == {errno.ENOMEM}, ends


def test_a_file_has_one_lease_and_must_be_open_for_writing(lease_fd):
    assert msr_devices.begin_lease(lease_fd) == errno.EEXIST
    fd = os.open(msr_devices.BATCH, os.O_RDONLY)
    assert msr_devices.begin_lease(fd) == errno.EBADF
    os.close(fd)


def test_what_it_does_not_know_is_refused(batch_fd):
    def ask(flags, capacity, reserved, **more):
        return msr_devices.sized_ioctl(batch_fd, msr_devices.LEASE_IOCTL, 'III', flags, capacity, reserved, **more)[0]

    assert ask(1, 0, 0) == errno.EINVAL
    assert ask(0, 65537, 0) == errno.EINVAL
    assert ask(0, 0, 1) == errno.EINVAL
    assert ask(0, 0, 0, size=12) == errno.EINVAL
    assert msr_devices.sized_ioctl(batch_fd, msr_devices.LEASE_IOCTL, 'IIII', 0, 0, 0, 1)[0] == errno.E2BIG
    assert ask(0, 0, 0, room=16) == 0


def test_as_many_values_as_it_may_remember():
    fd = leased(2)
    assert write(fd, 0, SCRATCH, BEFORE | 1) == 0
    assert write(fd, 0, SCRATCH, BEFORE | 3) == 0
    assert write(fd, 0, SCRATCH, BEFORE | 2) == 0, 'these bits were remembered before'
    assert write(fd, 0, SCRATCH, BEFORE | 6) == errno.ENOSPC
    assert read_register(0, SCRATCH) == BEFORE | 2
    os.close(fd)
    assert read_register(0, SCRATCH) == BEFORE


def test_two_leases_on_one_bit(lease_fd):
    """The second is refused, and nothing is changed; other bits of the register are free."""
    assert write(lease_fd, 0, SCRATCH, BEFORE | 1) == 0
    second = leased()
    assert write(second, 0, SCRATCH, BEFORE) == errno.EBUSY
    assert read_register(0, SCRATCH) == BEFORE | 1
    assert write(second, 0, SCRATCH, BEFORE | 1 | 2) == 0
    os.close(lease_fd)
    assert read_register(0, SCRATCH) == BEFORE | 2
    assert write(second, 0, SCRATCH, BEFORE | 1) == 0
    os.close(second)
    assert read_register(0, SCRATCH) == BEFORE


def test_a_refused_write_does_not_hold_up_the_rest_of_the_batch(lease_fd):
    assert write(lease_fd, 0, SCRATCH, BEFORE | 1) == 0
    second = leased()
    err, done = run_batch_of(
        second, [write_op(0, SCRATCH_2, 0x1100), write_op(0, SCRATCH, BEFORE), read_op(0, SCRATCH_2)]
    )
    os.close(second)
    assert (err, [-op.err for op in done]) == (errno.EBUSY, [0, errno.EBUSY, 0])
    assert done[2].msrdata & 0xFF00 == 0x1100


def test_a_narrower_list_at_the_end(lease_fd, log):
    """Bits that may not be written any more stay, and the log says so; the others come back."""
    assert write(lease_fd, 0, SCRATCH, BEFORE | 0xFFFF) == 0
    assert msr_devices.write_list(msr_devices.render_list({SCRATCH: 0xFF})) == ('', 0)
    os.close(lease_fd)
    assert read_register(0, SCRATCH) == BEFORE | 0xFF00
    said = [line for line in log.read() if 'not written back' in line]
    assert len(said) == 1 and '0x%08X on CPU 0' % SCRATCH in said[0] and '[%d]' % os.getpid() in said[0], log.lines


def test_a_list_without_the_register_at_the_end(lease_fd, log):
    assert write(lease_fd, 0, SCRATCH, 0x77) == 0
    assert msr_devices.write_list(msr_devices.render_list({SCRATCH_2: 0})) == ('', 0)
    os.close(lease_fd)
    assert [line for line in log.read() if 'not written back' in line], log.lines
    assert msr_devices.write_list(msr_devices.TEST_LIST) == ('', 0)
    assert read_register(0, SCRATCH) == 0x77


def test_a_cpu_that_is_offline_at_the_end(lease_fd):
    """Its registers come back when it does, whatever they hold then."""
    cpus = node.online_cpus()
    gone = cpus[-1]
    assert run_batch_of(lease_fd, [write_op(cpu, SCRATCH, ~(BEFORE + cpu) % 2**64) for cpu in cpus])[0] == 0
    node.set_online(gone, False)
    try:
        os.close(lease_fd)
        assert read_register(0, SCRATCH) == BEFORE
    finally:
        node.set_online(gone, True)
    assert read_register(gone, SCRATCH) == BEFORE + gone


def test_a_module_that_goes_while_a_cpu_is_offline(log):
    """What a lease owes that CPU cannot come back, and the log says so."""
    gone = node.online_cpus()[-1]
    fd = leased()
    assert write(fd, gone, SCRATCH, 0x77) == 0
    assert node.unload_module()[0] != 0, 'an open lease holds the module'
    node.set_online(gone, False)
    try:
        os.close(fd)
        assert node.unload_module() == (0, '')
    finally:
        node.set_online(gone, True)
    assert [line for line in log.read() if 'values are not written back' in line], log.lines


def test_a_fault_leaves_nothing_to_come_back(lease_fd):
    assert write(lease_fd, 0, FAULTING, FAULTING_VALUE) == errno.EIO
    second = leased()
    assert write(second, 0, FAULTING, FAULTING_VALUE | 1) == errno.EIO
    os.close(second)


def test_a_fault_takes_no_place_of_those_to_remember():
    fd = leased(1)
    for _time in range(3):
        assert write(fd, 0, FAULTING, FAULTING_VALUE) == errno.EIO
    assert write(fd, 0, SCRATCH, 0x77) == 0
    os.close(fd)
    assert read_register(0, SCRATCH) == BEFORE


def test_reads_through_a_lease(lease_fd):
    err, done = run_batch_of(lease_fd, [read_op(cpu, SCRATCH) for cpu in node.online_cpus()])
    assert (err, [op.msrdata for op in done]) == (0, [BEFORE + cpu for cpu in node.online_cpus()])


def test_many_processes_write_through_one_lease():
    """And each value comes back to what it was before the first of them."""
    cpus = node.online_cpus()
    fd = leased()

    def scribble():
        for value in range(50):
            scattered = value * 0x9E3779B97F4A7C15 % 2**64
            assert run_batch_of(fd, [write_op(cpu, SCRATCH, scattered) for cpu in cpus])[0] == 0
        return 0

    with node.child(scribble) as first, node.child(scribble) as second:
        assert [os.waitpid(pid, 0)[1] for pid in (first, second)] == [0, 0]
    os.close(fd)
    assert [read_register(cpu, SCRATCH) for cpu in cpus] == [BEFORE + cpu for cpu in cpus]
