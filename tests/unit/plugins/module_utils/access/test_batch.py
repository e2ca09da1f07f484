# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import os
from array import array

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.access import batch
from ansible_collections.hpc.msr_safe.plugins.module_utils.access.batch import carry_out
from ansible_collections.hpc.msr_safe.plugins.module_utils.access.operations import (
    READ,
    Operations,
    Results,
    reads,
    writes,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    MISC_ENABLE,
    PLATFORM,
    PREFETCHERS,
    TURBO_OFF,
)

UNLISTED = 0xC0000080


def reads_of(*pairs):
    """Return the Operations that read (CPU, address) each."""
    cpus, addresses = zip(*pairs)
    return Operations(READ, array('H', cpus), array('I', addresses), array('Q', [0] * len(pairs)))


def failing(error):
    def fail(*_arguments):
        raise OSError(error, os.strerror(error))

    return fail


def test_the_structures_are_those_of_the_kernel(node, monkeypatch):
    """Bytes that a C program would see: u16 cpu, u16 is read, s32 error, u32 address, padding, u64 value, u64 mask."""
    assert batch.IOCTL == 0xC01063A2
    assert batch.ARRAY.size == 16
    seen = []

    def look(_descriptor, _request, argument):
        count, _version, pointer = batch.ARRAY.unpack(argument)
        seen.append((count, batch_memory(pointer, 32 * count)))

    monkeypatch.setattr(batch.fcntl, 'ioctl', look)
    carry_out(node.machine, writes([(0x0201, 0x04030201, 0x1817161514131211), (1, 2, 3)]))
    count, content = seen[0]
    assert count == 2
    assert content[:32] == (
        b'\x01\x02\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x00\x00\x00\x00'
        b'\x11\x12\x13\x14\x15\x16\x17\x18\x00\x00\x00\x00\x00\x00\x00\x00'
    )
    carry_out(node.machine, reads_of((3, 5)))
    assert seen[1][1][:12] == b'\x03\x00\x01\x00\x00\x00\x00\x00\x05\x00\x00\x00'


def batch_memory(pointer, size):
    import ctypes

    return ctypes.string_at(pointer, size)


def test_reads_come_in_the_order_of_the_operations(node):
    node.set_register(MISC_ENABLE, 0x850089)
    node.set_register(PREFETCHERS, 0xFFFFFFFFFFFFFFFF, cpus=[2])
    results = carry_out(node.machine, reads([MISC_ENABLE, PREFETCHERS], [0, 2]))
    assert list(results.values) == [0x850089, 0, 0x850089, 0xFFFFFFFFFFFFFFFF]
    assert list(results.errors) == [0, 0, 0, 0]
    assert len(node.batches) == 1


def test_writes_in_one_batch(node):
    results = carry_out(node.machine, writes([(0, MISC_ENABLE, TURBO_OFF), (3, PREFETCHERS, 5)]))
    assert list(results.errors) == [0, 0]
    assert (node.register(MISC_ENABLE, 0), node.register(PREFETCHERS, 3)) == (TURBO_OFF, 5)
    assert node.register(MISC_ENABLE, 1) == 0
    assert len(node.batches) == 1


def test_reads_that_are_refused_do_not_hold_back_the_rest(node):
    node.set_register(MISC_ENABLE, 7)
    results = carry_out(node.machine, reads_of((0, UNLISTED), (0, MISC_ENABLE), (9, MISC_ENABLE), (1, MISC_ENABLE)))
    assert list(results.errors) == [errno.EACCES, 0, errno.ENXIO, 0]
    assert (results.values[1], results.values[3]) == (7, 7)
    assert [len(operations) for operations in node.batches] == [4, 2]


def test_writes_that_are_refused_do_not_hold_back_the_rest(node):
    results = carry_out(node.machine, writes([(1, PLATFORM, 1), (1, PREFETCHERS, 3), (0, UNLISTED, 0)]))
    assert list(results.errors) == [errno.EROFS, 0, errno.EACCES]
    assert node.register(PREFETCHERS, 1) == 3


def test_a_fault_does_not_hold_back_the_rest(node):
    node.faults.add((1, MISC_ENABLE))
    results = carry_out(node.machine, writes([(cpu, MISC_ENABLE, TURBO_OFF) for cpu in range(4)]))
    assert list(results.errors) == [0, errno.EIO, 0, 0]
    assert [node.register(MISC_ENABLE, cpu) for cpu in range(4)] == [TURBO_OFF, 0, TURBO_OFF, TURBO_OFF]
    assert len(node.batches) == 1


def test_all_refused_is_one_batch(node):
    results = carry_out(node.machine, writes([(0, UNLISTED, 1), (1, UNLISTED, 1)]))
    assert list(results.errors) == [errno.EACCES, errno.EACCES]
    assert len(node.batches) == 1


def test_a_cpu_that_goes_offline_between_two_batches_is_reported(node):
    node.before_batch = [lambda: None, lambda: node.set_online('0')]
    results = carry_out(node.machine, reads([MISC_ENABLE], [0, 1, 9]))
    assert list(results.errors) == [0, errno.ENXIO, errno.ENXIO]
    assert len(node.batches) == 3


def test_a_read_opens_for_reading_only(node, monkeypatch):
    flags = []
    monkeypatch.setattr(
        batch, 'open_device', lambda _machine, _path, mode: flags.append(mode) or os.open(os.devnull, mode)
    )
    monkeypatch.setattr(batch, 'submit', lambda _descriptor, operations: Results([0], operations.values, None))
    carry_out(node.machine, reads([MISC_ENABLE], [0]))
    carry_out(node.machine, writes([(0, MISC_ENABLE, 0)]))
    assert flags == [os.O_RDONLY, os.O_RDWR]


@pytest.mark.parametrize('error', [errno.ENOMEM, errno.E2BIG, errno.ENOTTY, errno.EFAULT, errno.EINTR])
def test_a_batch_that_fails_as_a_whole_is_an_error(node, monkeypatch, error):
    monkeypatch.setattr(batch.fcntl, 'ioctl', failing(error))
    with pytest.raises(MsrSafeError) as caught:
        carry_out(node.machine, reads([MISC_ENABLE], [0, 1]))
    assert 'The batch of 2 operations on /dev/cpu/msr_batch failed: ' + os.strerror(error) in str(caught.value)


@pytest.mark.parametrize('error', [errno.EACCES, errno.EPERM, errno.EIO, errno.ENXIO, errno.EROFS])
def test_a_refused_ioctl_that_blames_no_operation_is_an_error(node, monkeypatch, error):
    """Otherwise operations that nobody carried out would count as done."""
    monkeypatch.setattr(batch.fcntl, 'ioctl', failing(error))
    with pytest.raises(MsrSafeError):
        carry_out(node.machine, writes([(0, MISC_ENABLE, TURBO_OFF)]))


def test_the_descriptor_is_closed(node, monkeypatch):
    before = len(os.listdir('/proc/self/fd'))
    carry_out(node.machine, reads([MISC_ENABLE], [0]))
    monkeypatch.setattr(batch.fcntl, 'ioctl', failing(errno.ENOMEM))
    with pytest.raises(MsrSafeError):
        carry_out(node.machine, reads([MISC_ENABLE], [0]))
    assert len(os.listdir('/proc/self/fd')) == before
