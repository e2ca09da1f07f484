# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""An operator's access, as the kernel module's interface has it."""

import ctypes
import errno
import os
import struct

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.access import batch, operator
from ansible_collections.hpc.msr_safe.plugins.module_utils.access.reading import Reading
from ansible_collections.hpc.msr_safe.plugins.module_utils.access.write import Problem, Write
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import MISC_ENABLE

UNLISTED = 0x610


def test_the_structures_are_those_of_the_kernel(node, monkeypatch):
    """u16 cpu, flags, s32 error, u32 address, reserved, u64 value, mask, tsc, ns; the array says its own size."""
    seen = []

    def look(_descriptor, request, argument):
        size, flags, count, op_size, pointer = struct.unpack('=IIIIQ', argument)
        seen.append((request, size, flags, count, op_size))
        seen.append(bytes((ctypes.c_ubyte * (op_size * count)).from_address(pointer)))

    monkeypatch.setattr(batch.fcntl, 'ioctl', look)
    masks = {(0x0201, 0x04030201): 0x2827262524232221, (1, 2): 3}
    operator.carry_out(node.machine, operator.operations.writes([(0x0201, 0x04030201, 5), (1, 2, 6)]), masks)
    assert seen[0] == (0x63A5, 24, 1, 2, 48)
    assert seen[1][:48] == (
        b'\x01\x02\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x00\x00\x00\x00'
        b'\x05\x00\x00\x00\x00\x00\x00\x00\x21\x22\x23\x24\x25\x26\x27\x28' + bytes(16)
    )
    assert seen[1][72:80] == b'\x03\x00\x00\x00\x00\x00\x00\x00'


def test_registers_are_read_and_written_past_the_list_bits_named(node):
    node.set_register(UNLISTED, 0xAB00)
    assert operator.write(node.machine, [Write(UNLISTED, 'X', 0xFF, cpu, 0xAB00, 0xAB12) for cpu in (0, 2)]) == []
    readings = operator.read_registers(node.machine, [UNLISTED, MISC_ENABLE], [0, 1, 2, 3])
    assert readings[UNLISTED] == Reading({0xAB12: [0, 2], 0xAB00: [1, 3]}, {})


def test_one_that_faults_or_is_offline_holds_nothing_else_back(node):
    node.faults.add((1, UNLISTED))
    node.set_online('0-2')
    readings = operator.read_registers(node.machine, [UNLISTED], [0, 1, 2, 3])
    assert readings[UNLISTED] == Reading({0: [0, 2]}, {errno.EIO: [1], errno.ENXIO: [3]})


def test_without_the_capability_nothing_is_done_and_it_is_named(node):
    node.may_operate = False
    with pytest.raises(MsrSafeError) as caught:
        operator.read_registers(node.machine, [UNLISTED], [0])
    assert 'CAP_SYS_RAWIO' in str(caught.value) and node.batches == []


def test_another_error_of_the_whole_is_told_as_of_any_batch(node, monkeypatch):
    def no_memory(*_arguments):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(batch.fcntl, 'ioctl', no_memory)
    with pytest.raises(MsrSafeError) as caught:
        operator.read_registers(node.machine, [UNLISTED], [0])
    assert 'Cannot allocate memory' in str(caught.value)


@pytest.mark.parametrize('absent', ['knows_operators', 'batch device'])
def test_where_no_module_of_ours_is_loaded_the_list_decides(node, monkeypatch, absent):
    node.knows_operators = False
    if absent == 'batch device':
        node.remove('/dev/cpu/msr_batch')
        monkeypatch.setattr(operator.registers.cpu_devices, 'access', lambda *_arguments: (errno.EACCES, 0))
        node.put('/dev/cpu/0/msr_safe', '')
    assert not operator.is_allowed(node.machine)
    assert operator.read_registers(node.machine, [UNLISTED], [0])[UNLISTED].errors == {errno.EACCES: [0]}


@pytest.mark.parametrize(('effective', 'allowed'), [('0000000000000000', False), ('0000000000020000', True)])
def test_a_process_without_the_capability_is_held_by_the_list(node, effective, allowed):
    node.put('/proc/self/status', 'Name:\tpython3\nCapEff:\t%s\n' % effective)
    assert operator.is_allowed(node.machine) is allowed
    readings = operator.read_registers(node.machine, [UNLISTED], [0])
    assert readings[UNLISTED] == (Reading({0: [0]}, {}) if allowed else Reading({}, {errno.EACCES: [0]}))
    problem = Problem(UNLISTED, 'X', 0, 'refused')
    (told,) = operator.explain(node.machine, [problem])
    assert ('CAP_SYS_RAWIO' in told.error) is not allowed
