# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tests of the registers table: names, fields, and what their values mean."""

import random

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import KINDS, parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.register import (
    Register,
    Registers,
    decode,
    encode,
    field_mask,
    find_field,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.table import CPUS, GROUPS
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.units import UNITS
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.test_shipped_lists import LISTS

SKYLAKE = {'family': 6, 'model': 0x55}
SAPPHIRE_RAPIDS = {'family': 6, 'model': 0x8F}
MILAN = {'family': 25, 'model': 1}
TURIN = {'family': 26, 'model': 2}
UNKNOWN = {'family': 6, 'model': 0x1C}

# As a Xeon tells them: 1/8 W, 61 uJ, 0.98 ms; it throttles at 100 degrees.
CONTEXT = {0x606: 0x000A0E03, 0x1A2: 0x00640000}


def cpu_of(signature):
    """Return the processor of a list's name."""
    return {'family': int(signature[3:5], 16), 'model': int(signature[5:], 16)}


every_cpu = pytest.mark.parametrize('signature', sorted(CPUS))


def refusal(function, *arguments):
    with pytest.raises(MsrSafeError) as caught:
        function(*arguments)
    return str(caught.value)


def amounts(cpu, name, value, context=()):
    """Return {field: (amount, unit)} of a register's value, or its bare number."""
    fields = decode(registers_of(cpu).find(name), value, dict(context))
    return {field.name: (field.amount, field.unit) if field.unit else field.number for field in fields}


# The table


@every_cpu
def test_the_table_has_every_register_of_the_list_under_the_same_name_and_kind(signature):
    registers = registers_of(cpu_of(signature))
    entries = parse_list((LISTS / signature).read_text(encoding='utf-8'), signature)
    assert {(entry.address, entry.name, entry.kind) for entry in entries} == {
        (register.address, register.name, register.kind) for register in registers.by_address.values()
    }


@every_cpu
def test_every_register_can_be_meant(signature):
    registers = registers_of(cpu_of(signature))
    for register in registers.by_address.values():
        assert registers.find(register.name) == register
        assert registers.find('0x%X' % register.address) == register
        assert register.kind in KINDS
        assert register.scope in ('cpu', 'core', 'die', 'package', 'board')


@every_cpu
def test_what_decoding_needs_is_in_the_table(signature):
    registers = registers_of(cpu_of(signature))
    for register in registers.by_address.values():
        units = {field.unit for field in register.fields if field.unit and UNITS[field.unit].needs}
        assert bool(units) == bool(registers.needed_to_decode([register])), register


@every_cpu
def test_every_number_of_a_field_comes_back_from_its_amount(signature):
    generator = random.Random(signature)
    context = dict(CONTEXT)
    context[0xC0010299] = context[0x606]
    for register in registers_of(cpu_of(signature)).by_address.values():
        if register.address in context:
            continue
        for field in register.fields:
            number = generator.randrange(1 << field.high - field.low + 1)
            value = number << field.low
            (there,) = (each for each in decode(register, value, context) if each.name == field.name)
            assert there.number == number
            assert encode(register, field.name, number, None, context) == (value, field_mask(field))
            if there.unit and field.unit != 'divided':
                again, _mask = encode(register, field.name, there.amount, there.unit, context)
                assert decode(register, again, context) == decode(register, value, context)


def test_every_group_is_of_some_cpu():
    assert set(GROUPS) == {group for groups in CPUS.values() for group in groups.split()}


def test_a_cpu_that_the_table_does_not_know_has_addresses_only():
    registers = registers_of(UNKNOWN)
    assert registers.find('0x1A0') == Register(0x1A0, '', 'configuration', '', ())
    assert refusal(registers.find, 'IA32_MISC_ENABLE').endswith('Give its address.')


# Names


@pytest.mark.parametrize('text', ['MSR_PKG_POWER_LIMIT', 'PKG_POWER_LIMIT', 'pkg_power_limit', '0x610', '1552'])
def test_a_register_is_found_by_name_and_by_address(text):
    assert registers_of(SKYLAKE).find(text).name == 'MSR_PKG_POWER_LIMIT'


def test_a_counted_register_has_its_number_and_its_address():
    assert registers_of(SKYLAKE).find('PERFEVTSEL3').address == 0x189
    assert registers_of(SKYLAKE).find('MSR_C27_PMON_CTR3').address == 0xFBB
    assert registers_of(MILAN).find('PERF_CTR5').address == 0xC001020B


def test_registers_differ_between_cpus():
    assert registers_of(MILAN).find('HWCR').address == 0xC0010015
    assert 'no register HWCR' in refusal(registers_of(SKYLAKE).find, 'HWCR')


def test_an_unknown_name_suggests_near_ones():
    said = refusal(registers_of(SKYLAKE).find, 'PKG_POWR_LIMIT')
    assert said.startswith('This CPU has no register PKG_POWR_LIMIT.\nDid you mean MSR_PKG_POWER_LIMIT or ')


def test_a_name_without_prefix_that_means_two_names_both():
    registers = Registers([Register(0x10, 'IA32_PERF', '', '', ()), Register(0x11, 'MSR_PERF', '', '', ())])
    said = refusal(registers.find, 'perf')
    assert 'perf means several registers: IA32_PERF (0x10) and MSR_PERF (0x11).' in said
    assert registers.find('MSR_PERF').address == 0x11


@pytest.mark.parametrize('text', ['0x', '0x1g', '9' * 30, '0x100000000', ''])
def test_a_text_that_means_nothing_is_an_error_in_words(text):
    assert refusal(registers_of(SKYLAKE).find, text)


def test_an_unknown_field_names_the_fields():
    power_limit = registers_of(SKYLAKE).find('PKG_POWER_LIMIT')
    assert find_field(power_limit, 'lock').high == 63
    assert 'Its fields are PL1_POWER_LIMIT, PL2_POWER_LIMIT.' in refusal(find_field, power_limit, 'PL1_POWER')
    assert 'Its fields are HWP_ENABLE.' in refusal(find_field, registers_of(SKYLAKE).find('PM_ENABLE'), 'X')
    assert 'no fields of 0x1' in refusal(find_field, registers_of(SKYLAKE).find('0x1'), 'X')


# What values mean. Numbers of a Xeon Gold 6148 and an EPYC 7763 at their defaults.


def test_a_power_limit_in_watts_and_seconds():
    said = amounts(SKYLAKE, 'PKG_POWER_LIMIT', 0x785A000DD84B0, CONTEXT)
    assert said['PL1_POWER_LIMIT'] == (150.0, 'watts')
    assert said['PL1_TIME_WINDOW'] == (28.0, 'seconds')
    assert said['PL2_POWER_LIMIT'] == (180.0, 'watts')
    assert said['PL1_LIMIT_ENABLE'] == 1
    assert said['LOCK'] == 0


def test_the_units_themselves():
    said = amounts(SKYLAKE, 'RAPL_POWER_UNIT', 0x000A0E03)
    assert said == {'POWER': (0.125, 'watts'), 'ENERGY': (2**-14, 'joules'), 'TIME': (2**-10, 'seconds')}


def test_energy_in_the_units_of_the_cpu():
    assert amounts(SKYLAKE, 'PKG_ENERGY_STATUS', 1 << 14, CONTEXT)['ENERGY'] == (1.0, 'joules')
    assert amounts(MILAN, 'PKG_ENERGY_STAT', 1 << 16, {0xC0010299: 0xA1003})['ENERGY'] == (1.0, 'joules')


def test_energy_of_memory_and_board_in_units_that_the_unit_register_does_not_tell():
    assert amounts(SKYLAKE, 'DRAM_ENERGY_STATUS', 1 << 16, CONTEXT)['ENERGY'] == (1.0, 'joules')
    assert amounts(SAPPHIRE_RAPIDS, 'DRAM_ENERGY_STATUS', 1 << 14, CONTEXT)['ENERGY'] == (1.0, 'joules')
    assert amounts(SAPPHIRE_RAPIDS, 'PLATFORM_ENERGY_STATUS', 7, CONTEXT)['ENERGY'] == (7, 'joules')


def test_a_ratio_in_hertz():
    assert amounts(SKYLAKE, 'PLATFORM_INFO', 0x080083F3F1800)['MAX_NON_TURBO_RATIO'] == (2400000000, 'hertz')


def test_a_temperature_is_the_target_less_the_readout():
    assert amounts(SKYLAKE, 'THERM_STATUS', 0x88230000, CONTEXT)['DIGITAL_READOUT'] == (65, 'celsius')


@pytest.mark.parametrize(
    'cpu, value, hertz',
    [
        (MILAN, 0x80000000481D0862, 2450000000),
        (MILAN, 0x8000000045D20C5A, 1500000000),
        (MILAN, 0, 0),
        (TURIN, 0x8000000045D20294, 3300000000),
    ],
)
def test_a_p_state_in_hertz(cpu, value, hertz):
    assert amounts(cpu, 'PSTATE_DEF0', value)['FREQ'] == (hertz, 'hertz')


def test_without_the_unit_register_there_is_a_number_and_no_amount():
    (field,) = decode(registers_of(SKYLAKE).find('PKG_ENERGY_STATUS'), 5, {})
    assert (field.number, field.amount, field.unit) == (5, None, 'joules')


def test_which_registers_tell_the_units():
    registers = registers_of(SKYLAKE)
    wanted = [registers.find(name) for name in ('PKG_POWER_LIMIT', 'THERM_STATUS', 'PERF_CTL')]
    assert registers.needed_to_decode(wanted) == [0x1A2, 0x606]
    assert registers.needed_to_decode(wanted[2:]) == []
    assert registers_of(MILAN).needed_to_decode([registers_of(MILAN).find('PKG_ENERGY_STAT')]) == [0xC0010299]


# Making a field be an amount


def made(name, field, amount, unit, cpu=None, context=None):
    """Return (value, mask) of a field of a Skylake's register, in the units of CONTEXT."""
    return encode(registers_of(cpu or SKYLAKE).find(name), field, amount, unit, CONTEXT if context is None else context)


@pytest.mark.parametrize(
    'name, field, amount, unit, value, mask',
    [
        ('PKG_POWER_LIMIT', 'PL1_POWER_LIMIT', 200, 'watts', 1600, 0x7FFF),
        ('PKG_POWER_LIMIT', 'PL2_POWER_LIMIT', 250500, 'milliwatts', 2004 << 32, 0x7FFF << 32),
        ('PKG_POWER_LIMIT', 'pl1_time_window', 24, 'seconds', 0x4E << 17, 0x7F << 17),
        ('PKG_POWER_LIMIT', 'PL1_TIME_WINDOW', 10, 'milliseconds', 0x23 << 17, 0x7F << 17),
        ('PKG_POWER_LIMIT', 'PL1_LIMIT_ENABLE', 1, None, 1 << 15, 1 << 15),
        ('PERF_CTL', 'FREQ', 2.1, 'gigahertz', 21 << 8, 0xFF00),
        ('UNCORE_RATIO_LIMIT', 'MAX_RATIO', 1800, 'megahertz', 18, 0x7F),
        ('THERM_INTERRUPT', 'THRESH_1', 90, 'celsius', 10 << 8, 0x7F00),
        ('PERFEVTSEL0', 'EVENT_SELECT', 0x3C, None, 0x3C, 0xFF),
    ],
)
def test_a_field_is_made_an_amount(name, field, amount, unit, value, mask):
    assert made(name, field, amount, unit) == (value, mask)


def test_the_nearest_that_a_field_can_hold():
    assert made('PKG_POWER_LIMIT', 'PL1_POWER_LIMIT', 100.06, 'watts')[0] == 800
    assert made('PSTATE_DEF1', 'FREQ', 2.45, 'gigahertz', MILAN) == (0x862, 0x3FFF)


@pytest.mark.parametrize(
    'name, field, amount, unit, words',
    [
        ('PKG_POWER_LIMIT', 'PL1_POWER_LIMIT', 5000, 'watts', 'It holds 0 to 4095.875 watts.'),
        ('PKG_POWER_LIMIT', 'PL1_POWER_LIMIT', -1, 'watts', 'cannot hold -1 watts'),
        ('PKG_POWER_LIMIT', 'PL1_POWER_LIMIT', 0x8000, None, 'It holds 0 to 32767.'),
        ('PKG_POWER_LIMIT', 'PL1_POWER_LIMIT', 1.5, None, 'whole numbers'),
        ('PKG_POWER_LIMIT', 'PL1_POWER_LIMIT', 1, 'seconds', 'is in watts, not in seconds'),
        ('PKG_POWER_LIMIT', 'PL1_POWER_LIMIT', 1, 'W', 'Write it in watts or milliwatts.'),
        ('PKG_POWER_LIMIT', 'PL1_TIME_WINDOW', 1e9, 'seconds', 'cannot hold 1000000000 seconds'),
        ('PKG_POWER_LIMIT', 'PL1_TIME_WINDOW', 0, 'seconds', 'It holds 0.0009765625 to '),
        ('PKG_POWER_LIMIT', 'PL1_LIMIT_ENABLE', 2, None, 'It holds 0 to 1.'),
        ('PKG_POWER_LIMIT', 'PL1_LIMIT_ENABLE', 1, 'watts', 'has no unit'),
        ('THERM_INTERRUPT', 'THRESH_1', 101, 'celsius', 'It holds -27 to 100 celsius.'),
    ],
)
def test_what_does_not_fit_says_what_does(name, field, amount, unit, words):
    assert words in refusal(made, name, field, amount, unit)


def test_without_the_unit_register_an_amount_is_refused():
    said = refusal(made, 'PKG_POWER_LIMIT', 'PL1_POWER_LIMIT', 1, 'watts', SKYLAKE, {})
    assert 'register 0x606 tells, which could not be read' in said
    assert made('PKG_POWER_LIMIT', 'PL1_POWER_LIMIT', 8, None, SKYLAKE, {}) == (8, 0x7FFF)


def test_a_p_state_too_fast_for_its_register_is_refused():
    assert 'It holds 0 to 6375000000 hertz' in refusal(made, 'PSTATE_DEF0', 'FREQ', 7, 'gigahertz', MILAN)
