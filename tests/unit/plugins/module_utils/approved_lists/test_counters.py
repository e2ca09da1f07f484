# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tests that the counters a list lets users program count for users only, once it is in force."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.counters import (
    activate_for_users,
    programs_counters,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError

SELECT, FIXED = 0x186, 0x38D
OS, INT, ENABLE, USER = 1 << 17, 1 << 20, 1 << 22, 1 << 16
PERF = '0x186 0xFFEDFFFF # IA32_PERFEVTSEL0\n0x38D 0x222 # IA32_FIXED_CTR_CTRL\n0x1A4 0xF\n'
READ_ONLY = '0x186 0x0\n0x38D 0x0\n'


def activate(node, text=PERF):
    return activate_for_users(node.machine, parse_list(text, 'list'))


def masks(node):
    return {entry.address: entry.mask for entry in parse_list(node.get('/dev/cpu/msr_approved_list'), 'device')}


def test_what_the_kernel_left_is_zeroed_and_nothing_else(node):
    node.set_register(SELECT, 0x3C | USER | OS | INT)
    node.set_register(SELECT, 0x3C | USER | ENABLE, cpus=[3])
    node.set_register(FIXED, 0x021)
    assert activate(node) == []
    assert [node.registers[cpu, SELECT] for cpu in range(4)] == [0x3C | USER] * 3 + [0x3C | USER | ENABLE]
    assert node.registers[0, FIXED] == 0x020
    assert masks(node) == {0x186: 0xFFEDFFFF, 0x38D: 0x222, 0x1A4: 0xF}


@pytest.mark.parametrize(('knows_operators', 'lists'), [(True, 1), (False, 3)])
def test_no_list_is_opened_for_it_where_root_needs_none(node, knows_operators, lists):
    node.knows_operators = knows_operators
    node.set_register(SELECT, OS | INT)
    assert activate(node) == []
    assert node.registers[0, SELECT] == 0
    assert len(node.list_device.published) == lists


def test_what_the_kernel_counts_with_is_left_and_named(node):
    watchdog = 0x3C | USER | OS | INT | ENABLE
    node.set_register(SELECT, watchdog, cpus=[0, 1])
    node.set_register(SELECT, OS | INT, cpus=[2])
    node.set_register(FIXED, 0x0B8)
    (note, fixed) = activate(node)
    assert 'count with IA32_PERFEVTSEL0 on CPU 0-1' in note
    assert 'count with IA32_FIXED_CTR_CTRL on CPU 0-3' in fixed
    assert [node.registers[cpu, SELECT] for cpu in (0, 1, 2)] == [watchdog, watchdog, 0]


def test_where_nothing_is_left_the_list_is_activated_once(node):
    node.set_register(SELECT, USER | ENABLE)
    node.set_register(FIXED, 0x222)
    activate(node)
    assert all(way == 'read' for batch in node.batches for _cpu, way, _address in batch)


def test_a_list_that_opens_these_bits_leaves_them(node):
    node.set_register(SELECT, OS | INT)
    activate(node, '0x186 0xFFFFFFFF\n')
    assert node.registers[0, SELECT] == OS | INT


@pytest.mark.parametrize('text', [READ_ONLY, '0x10 0x0\n', '0xE01 0xFFFFFFFF\n'])
def test_a_list_that_programs_no_counter_touches_none(node, text):
    node.set_register(SELECT, OS | INT)
    activate(node, text)
    assert node.batches == []
    assert not programs_counters(parse_list(text, 'list'))


def test_a_cpu_without_these_registers_is_none_of_it(node):
    node.faults = {SELECT}
    assert activate(node, '0xC0010200 0xFFFC5FFFF\n') == []


def test_somebody_who_sets_them_again_and_again_is_noticed(node):
    node.set_register(SELECT, OS)
    node.stuck.add(SELECT)
    with pytest.raises(MsrSafeError, match='Counters of CPU 0-3 count the kernel'):
        activate(node)
    assert masks(node) == {0x186: 0, 0x38D: 0, 0x1A4: 0xF}


def test_where_registers_cannot_be_reached_it_says_so(node):
    node.remove('/dev/cpu/msr_batch')
    assert ['was not looked at' in note for note in activate(node)] == [True]
    assert activate(node, READ_ONLY) == []


def test_which_lists_program_counters():
    for text in (PERF, '0x38D 0x2\n', '0xC0010200 0x1\n'):
        assert programs_counters(parse_list(text, 'list'))
