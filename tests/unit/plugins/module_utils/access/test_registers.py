# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import os
import struct

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.access import batch, cpu_devices
from ansible_collections.hpc.msr_safe.plugins.module_utils.access.reading import Reading
from ansible_collections.hpc.msr_safe.plugins.module_utils.access.registers import (
    observe_access,
    read_registers,
    slowness,
    write_registers,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    MISC_ENABLE,
    PREFETCHERS,
    TURBO_OFF,
)

UNLISTED = 0xC0000080


class FakeCpuOs:
    """Stands for the module os where the devices of CPUs are used: the registers of a fake node."""

    def __init__(self, node):
        self.node, self.cpus, self.calls = node, {}, 0
        self.open_now = set()

    def __getattr__(self, name):
        return getattr(os, name)

    def remember(self, machine, path, flags):
        descriptor = os.open(machine.path(path), flags)
        self.cpus[descriptor] = int(path.split('/')[3])
        self.open_now.add(descriptor)
        return descriptor

    def close(self, descriptor):
        self.open_now.remove(descriptor)
        os.close(descriptor)

    def pread(self, descriptor, size, address):
        self.check(descriptor, address)
        return struct.pack('=Q', self.node.register(address, self.cpus[descriptor]))[:size]

    def pwrite(self, descriptor, content, address):
        self.check(descriptor, address)
        self.node.set_register(address, struct.unpack('=Q', content)[0], [self.cpus[descriptor]])

    def check(self, descriptor, address):
        self.calls += 1
        if address not in self.node.active():
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        if (self.cpus[descriptor], address) in self.node.faults:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def slow_node(node, monkeypatch):
    """A node without the batch device, whose CPU 3 is offline."""
    node.remove('/dev/cpu/msr_batch')
    node.set_online('0-2')
    for cpu in range(3):
        node.put('/dev/cpu/%d/msr_safe' % cpu, '')
    node.fake_os = FakeCpuOs(node)
    monkeypatch.setattr(cpu_devices, 'os', node.fake_os)
    monkeypatch.setattr(cpu_devices, 'open_device', node.fake_os.remember)
    return node


def test_equal_values_are_together(node):
    node.set_register(MISC_ENABLE, 0x850089, cpus=[0, 2])
    node.faults.add((1, MISC_ENABLE))
    assert read_registers(node.machine, [MISC_ENABLE, PREFETCHERS], [0, 1, 2]) == {
        MISC_ENABLE: Reading({0x850089: [0, 2]}, {errno.EIO: [1]}),
        PREFETCHERS: Reading({0: [0, 1, 2]}, {}),
    }
    assert len(node.batches) == 1


def test_nothing_to_do_needs_no_device(bare_node):
    assert read_registers(bare_node.machine, [], [0]) == {}
    assert read_registers(bare_node.machine, [MISC_ENABLE], []) == {}
    assert write_registers(bare_node.machine, []) == []


def test_a_missing_device_says_what_to_do(bare_node):
    with pytest.raises(MsrSafeError, match=r'(?s)/dev/cpu/msr_batch is missing.*systemctl start msr-safe'):
        read_registers(bare_node.machine, [MISC_ENABLE], [0])


def test_the_stock_driver_alone_is_refused(bare_node):
    """It would do everything, without any list."""
    bare_node.put('/dev/cpu/0/msr', '')
    with pytest.raises(MsrSafeError, match=r"(?s)kernel's own msr driver only.*role hpc.msr_safe.msr_safe"):
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


def test_without_the_batch_device_it_goes_cpu_by_cpu_and_says_so(slow_node):
    slow_node.set_register(MISC_ENABLE, 5, cpus=[1])
    slow_node.faults.add((2, PREFETCHERS))
    assert observe_access(slow_node.machine) == 'cpu_devices'
    assert 'slower' in slowness(slow_node.machine)
    assert read_registers(slow_node.machine, [MISC_ENABLE, UNLISTED, PREFETCHERS], [0, 1, 2, 3]) == {
        MISC_ENABLE: Reading({0: [0, 2], 5: [1]}, {errno.ENXIO: [3]}),
        UNLISTED: Reading({}, {errno.EACCES: [0, 1, 2], errno.ENXIO: [3]}),
        PREFETCHERS: Reading({0: [0, 1]}, {errno.EIO: [2], errno.ENXIO: [3]}),
    }
    assert slow_node.fake_os.calls == 9


def test_without_the_batch_device_it_writes_cpu_by_cpu(slow_node):
    errors = write_registers(
        slow_node.machine, [(0, MISC_ENABLE, TURBO_OFF), (0, UNLISTED, 1), (3, MISC_ENABLE, 1), (1, PREFETCHERS, 2)]
    )
    assert list(errors) == [0, errno.EACCES, errno.ENXIO, 0]
    assert slow_node.register(MISC_ENABLE, 0) == TURBO_OFF
    assert slow_node.register(PREFETCHERS, 1) == 2


def test_its_descriptors_are_closed(slow_node):
    before = len(os.listdir('/proc/self/fd'))
    read_registers(slow_node.machine, [MISC_ENABLE], [0, 1, 3])
    assert len(os.listdir('/proc/self/fd')) == before


def test_cpus_may_be_more_than_files_that_may_be_open(slow_node, monkeypatch):
    """1024 of them are usual, and there are nodes of 1792 CPUs."""
    most = len(slow_node.fake_os.open_now)

    def remember(*arguments):
        nonlocal most
        descriptor = slow_node.fake_os.remember(*arguments)
        most = max(most, len(slow_node.fake_os.open_now))
        return descriptor

    monkeypatch.setattr(cpu_devices, 'open_device', remember)
    read_registers(slow_node.machine, [MISC_ENABLE, PREFETCHERS], [0, 1, 2])
    write_registers(slow_node.machine, [(cpu, MISC_ENABLE, 1) for cpu in (0, 1, 2)])
    assert most == 1


def test_with_the_batch_device_there_is_nothing_to_say(node):
    assert observe_access(node.machine) == 'batch'
    assert slowness(node.machine) is None
