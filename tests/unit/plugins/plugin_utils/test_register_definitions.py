# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import json

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.table import CPUS
from ansible_collections.hpc.msr_safe.plugins.module_utils.settings.definitions import unpack
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.register_definitions import (
    definitions_of,
    definitions_of_cpu,
)

every_cpu = pytest.mark.parametrize('signature', sorted(CPUS))


def cpu_of(signature):
    return {'family': int(signature[3:5], 16), 'model': int(signature[5:], 16)}


def travelled(*texts):
    """Return definitions as they arrive on a node."""
    return json.loads(json.dumps(definitions_of(texts)))


def found(registers, text):
    """Return what a node learns of a register: not which bits a list may open, nor the tier."""
    try:
        return registers.find(text)[:5]
    except MsrSafeError as error:
        return str(error)


@every_cpu
@pytest.mark.parametrize(
    'text', ['PKG_POWER_LIMIT', 'msr_pkg_power_limit', 'IA32_PMC3', '0x1A0', '0x12345', 'PERF_CTL', 'THERM_STATUS']
)
def test_a_node_finds_what_the_table_has(signature, text):
    registers, table = unpack(travelled(text), cpu_of(signature)), registers_of(cpu_of(signature))
    expected = found(table, text)
    if not isinstance(expected, str):
        assert found(registers, text) == expected
        assert registers.needed_to_decode([registers.find(text)]) == table.needed_to_decode([table.find(text)])
    else:
        assert 'has no register' in found(registers, text)


def test_a_name_that_no_cpu_has_comes_with_a_suggestion():
    registers = unpack(travelled('PKG_POWER_LIMTI'), cpu_of('al_0655'))
    assert 'Did you mean MSR_PKG_POWER_LIMIT' in found(registers, 'PKG_POWER_LIMTI')


@every_cpu
@pytest.mark.parametrize('text', ['PKG_POWER_LIMIT', 'IA32_MISC_ENABLE', 'hwcr', 'PERF_CTL', 'PERFEVTSEL2', 'TSC'])
def test_a_node_says_what_the_table_has_in_the_place_of_a_register(signature, text):
    registers, table = unpack(travelled(text), cpu_of(signature)), registers_of(cpu_of(signature))
    assert registers.missing(text) == (None if table.named(text) else table.missing(text))


def test_what_is_no_number_is_left_to_the_node():
    assert travelled('0xZZ', '99999999999999999999') == []


def test_blanks_around_a_text_do_not_count():
    assert definitions_of(['PKG_POWER_LIMIT', ' MISC_ENABLE', ' 0x19C']) == definitions_of(
        ['PKG_POWER_LIMIT', 'MISC_ENABLE', '0x19C']
    )


def test_only_what_is_needed_travels():
    assert len(json.dumps(definitions_of(['PKG_POWER_LIMIT', 'MISC_ENABLE', 'THERM_STATUS']))) < 6000


@every_cpu
def test_all_registers_of_a_cpu_have_name_and_kind(signature):
    cpu = cpu_of(signature)
    registers = unpack(json.loads(json.dumps(definitions_of_cpu(cpu))), cpu)
    assert {(each.address, each.name, each.kind) for each in registers.by_address.values()} == {
        (each.address, each.name, each.kind) for each in registers_of(cpu).by_address.values()
    }


def test_definitions_are_plain_data():
    """ansible-core up to 2.18 makes tuples it passes on anew, from one argument, which named ones do not bear."""
    definitions = definitions_of(['PKG_POWER_LIMIT'])
    assert definitions == json.loads(json.dumps(definitions))
