# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.cpu import read_cpu
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of
from ansible_collections.hpc.msr_safe.plugins.module_utils.settings.interpretation import interpret_registers

POWER_UNIT, POWER_LIMIT, THERMAL, TARGET = 0x606, 0x610, 0x19C, 0x1A2
LIST = '0x19C 0x0\n0x1A2 0x0\n0x1A4 0xF\n0x606 0x0\n0x610 0xFFFFFF\n'
CPUS = [0, 1, 2, 3]


@pytest.fixture
def power_node(node):
    node.activate(LIST)
    node.set_register(POWER_UNIT, 0x000A0E03)
    node.set_register(POWER_LIMIT, 0x1B84B0)
    return node


def look(node, *texts):
    return interpret_registers(node.machine, list(texts), CPUS, registers_of(read_cpu(node.machine)))


def test_equal_values_are_together_with_their_fields(power_node):
    power_node.set_register(POWER_LIMIT, 0x1B8640, cpus=[2])
    register = look(power_node, 'PKG_POWER_LIMIT')['PKG_POWER_LIMIT']
    assert (register['name'], register['address'], register['scope']) == (
        'MSR_PKG_POWER_LIMIT',
        '0x00000610',
        'die',
    )
    assert [(each['value'], each['cpus']) for each in register['readings']] == [
        ('0x00000000001b84b0', '0-1,3'),
        ('0x00000000001b8640', '2'),
    ]
    assert register['readings'][0]['fields']['PL1_POWER_LIMIT'] == {'raw': 1200, 'value': 150.0, 'unit': 'watts'}
    assert register['readings'][0]['fields']['PL1_LIMIT_ENABLE'] == {'raw': 1, 'value': 1, 'unit': None}
    assert register['errors'] == {}


def test_all_are_read_in_one_batch_units_included(power_node):
    look(power_node, 'PKG_POWER_LIMIT', '0x1A4', 'IA32_THERM_STATUS')
    assert len(power_node.batches) == 1


def test_blanks_after_the_commas_of_a_list_are_no_part_of_a_name(power_node):
    """Ansible splits ``registers: PKG_POWER_LIMIT, 0x1A4`` at the commas and leaves the blanks."""
    assert list(look(power_node, 'PKG_POWER_LIMIT', ' THERM_STATUS', ' 0x1A4')) == [
        'PKG_POWER_LIMIT',
        'THERM_STATUS',
        '0x1A4',
    ]


def test_the_same_value_means_something_else_on_a_cpu_with_other_units(power_node):
    power_node.set_register(POWER_UNIT, 0x000A0E04, cpus=[3])
    readings = look(power_node, 'PKG_POWER_LIMIT')['PKG_POWER_LIMIT']['readings']
    assert [(each['cpus'], each['fields']['PL1_POWER_LIMIT']['value']) for each in readings] == [
        ('0-2', 150.0),
        ('3', 75.0),
    ]


def test_without_the_unit_there_is_the_bare_number(power_node):
    power_node.activate('0x610 0x0\n')
    field = look(power_node, 'PKG_POWER_LIMIT')['PKG_POWER_LIMIT']['readings'][0]['fields']['PL1_POWER_LIMIT']
    assert field == {'raw': 1200, 'value': None, 'unit': 'watts'}


def test_what_cannot_be_read_is_said(power_node):
    power_node.faults.add((1, POWER_LIMIT))
    found = look(power_node, 'PKG_POWER_LIMIT', '0x123')
    assert found['PKG_POWER_LIMIT']['readings'][0]['cpus'] == '0,2-3'
    assert list(found['PKG_POWER_LIMIT']['errors'].values()) == ['1']
    assert found['0x123'] == {
        'name': '',
        'address': '0x00000123',
        'kind': 'configuration',
        'scope': '',
        'readings': [],
        'errors': {'not on the active approved list': '0-3'},
    }


def test_an_unknown_name_is_refused(power_node):
    with pytest.raises(MsrSafeError, match=r'(?s)no register PKG_POWER_LIMTI.*MSR_PKG_POWER_LIMIT'):
        look(power_node, 'PKG_POWER_LIMTI')
