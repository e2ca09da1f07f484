# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils import batch
from ansible_collections.hpc.msr_safe.plugins.module_utils.batch import (
    READ,
    WRITE,
    Operation,
    Result,
    carry_out,
    read_registers,
    write_registers,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    MISC_ENABLE,
    PLATFORM,
    PREFETCHERS,
    TURBO_OFF,
)

UNLISTED = 0xC0000080


def test_the_structures_are_those_of_the_kernel():
    assert batch.IOCTL == 0xC01063A2
    assert batch.ARRAY.size == 16
    packed = batch.OPERATION.pack(0x0102, 1, -5, 0x01020304, 0x1112131415161718, 0x2122232425262728)
    assert packed == (
        b'\x02\x01\x01\x00\xfb\xff\xff\xff\x04\x03\x02\x01\x00\x00\x00\x00'
        b'\x18\x17\x16\x15\x14\x13\x12\x11\x28\x27\x26\x25\x24\x23\x22\x21'
    )


def test_reads_all_registers_of_all_cpus_in_one_batch(node):
    node.set_register(MISC_ENABLE, 0x850089)
    node.set_register(PREFETCHERS, 0xFFFFFFFFFFFFFFFF, cpus=[2])
    assert read_registers(node.machine, [MISC_ENABLE, PREFETCHERS], [0, 2]) == {
        MISC_ENABLE: {0: Result(0, 0x850089), 2: Result(0, 0x850089)},
        PREFETCHERS: {0: Result(0, 0), 2: Result(0, 0xFFFFFFFFFFFFFFFF)},
    }
    assert len(node.batches) == 1


def test_writes_in_one_batch(node):
    results = write_registers(node.machine, [(0, MISC_ENABLE, TURBO_OFF), (3, PREFETCHERS, 5)])
    assert [result.error for result in results] == [0, 0]
    assert (node.register(MISC_ENABLE, 0), node.register(PREFETCHERS, 3)) == (TURBO_OFF, 5)
    assert node.register(MISC_ENABLE, 1) == 0
    assert len(node.batches) == 1


def test_nothing_to_do_needs_no_device(bare_node):
    assert carry_out(bare_node.machine, []) == []
    assert read_registers(bare_node.machine, [], [0]) == {}
    assert write_registers(bare_node.machine, []) == []


def test_what_is_refused_does_not_hold_back_the_rest(node):
    node.set_register(MISC_ENABLE, 7)
    results = carry_out(
        node.machine,
        [
            Operation(0, READ, MISC_ENABLE, 0),
            Operation(0, READ, UNLISTED, 0),
            Operation(9, READ, MISC_ENABLE, 0),
            Operation(1, WRITE, PLATFORM, 1),
            Operation(1, WRITE, PREFETCHERS, 3),
        ],
    )
    assert [result.error for result in results] == [0, errno.EACCES, errno.ENXIO, errno.EROFS, 0]
    assert results[0].value == 7
    assert node.register(PREFETCHERS, 1) == 3
    assert [len(operations) for operations in node.batches] == [5, 2]


def test_a_fault_does_not_hold_back_the_rest(node):
    node.faults.add((1, MISC_ENABLE))
    results = write_registers(node.machine, [(cpu, MISC_ENABLE, TURBO_OFF) for cpu in range(4)])
    assert [result.error for result in results] == [0, errno.EIO, 0, 0]
    assert [node.register(MISC_ENABLE, cpu) for cpu in range(4)] == [TURBO_OFF, 0, TURBO_OFF, TURBO_OFF]
    assert len(node.batches) == 1


def test_all_refused_is_one_batch(node):
    assert [result.error for result in write_registers(node.machine, [(0, UNLISTED, 1), (1, UNLISTED, 1)])] == [13, 13]
    assert len(node.batches) == 1


def test_a_cpu_that_goes_offline_between_two_batches_is_reported(node):
    node.before_batch = [lambda: None, lambda: node.set_online('0')]
    results = carry_out(node.machine, [Operation(cpu, READ, MISC_ENABLE, 0) for cpu in (0, 1, 9)])
    assert [result.error for result in results] == [0, errno.ENXIO, errno.ENXIO]
    assert len(node.batches) == 3


def test_a_read_opens_for_reading_only(node, monkeypatch):
    flags = []
    monkeypatch.setattr(batch, 'open_batch', lambda machine, mode: flags.append(mode) or os.open(os.devnull, mode))
    monkeypatch.setattr(batch, 'submit', lambda _descriptor, operations: [Result(0, 0)] * len(operations))
    carry_out(node.machine, [Operation(0, READ, MISC_ENABLE, 0)])
    carry_out(node.machine, [Operation(0, READ, MISC_ENABLE, 0), Operation(0, WRITE, MISC_ENABLE, 0)])
    assert flags == [os.O_RDONLY, os.O_RDWR]


@pytest.mark.parametrize('error', [errno.ENOMEM, errno.E2BIG, errno.ENOTTY, errno.EFAULT, errno.EINTR])
def test_a_batch_that_fails_as_a_whole_is_an_error(node, monkeypatch, error):
    def fail(_descriptor, _request, _argument):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(batch.fcntl, 'ioctl', fail)
    with pytest.raises(MsrSafeError) as caught:
        read_registers(node.machine, [MISC_ENABLE], [0, 1])
    assert 'The batch of 2 operations on /dev/cpu/msr_batch failed: ' + os.strerror(error) in str(caught.value)


@pytest.mark.parametrize('error', [errno.EACCES, errno.EPERM, errno.EIO, errno.ENXIO, errno.EROFS])
def test_a_refused_ioctl_that_blames_no_operation_is_an_error(node, monkeypatch, error):
    """Otherwise operations that nobody carried out would count as done."""

    def fail(_descriptor, _request, _argument):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(batch.fcntl, 'ioctl', fail)
    with pytest.raises(MsrSafeError):
        write_registers(node.machine, [(0, MISC_ENABLE, TURBO_OFF)])


def test_a_missing_device_says_what_to_do(bare_node):
    with pytest.raises(MsrSafeError, match=r'(?s)/dev/cpu/msr_batch is missing.*systemctl start msr-safe'):
        read_registers(bare_node.machine, [MISC_ENABLE], [0])


@pytest.mark.parametrize(
    'error, words',
    [
        (errno.EACCES, 'Run as root'),
        (errno.EPERM, 'Run as root'),
        (errno.ENODEV, 'no msr-safe kernel module is loaded'),
        (errno.EMFILE, 'Cannot open /dev/cpu/msr_batch: Too many open files'),
    ],
)
def test_a_device_that_does_not_open_says_why(node, monkeypatch, error, words):
    def fail(_path, _flags):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(batch.os, 'open', fail)
    with pytest.raises(MsrSafeError, match=words):
        read_registers(node.machine, [MISC_ENABLE], [0])


def test_the_descriptor_is_closed(node, monkeypatch):
    before = len(os.listdir('/proc/self/fd'))
    read_registers(node.machine, [MISC_ENABLE], [0])
    monkeypatch.setattr(batch, 'submit', no_memory)
    with pytest.raises(MsrSafeError):
        read_registers(node.machine, [MISC_ENABLE], [0])
    assert len(os.listdir('/proc/self/fd')) == before


def no_memory(_descriptor, _operations):
    raise MsrSafeError('no memory')
