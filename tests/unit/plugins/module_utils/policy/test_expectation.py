# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What a policy means on each CPU."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.policy.control import CONTROLS, fields_of, registers_meant
from ansible_collections.hpc.msr_safe.plugins.module_utils.policy.expectation import (
    Node,
    expect,
    register_of_way,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.policy.statement import parse_policy, registers_named
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.register import Register, Registers, find_field
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.table import CPUS

SKYLAKE = {'vendor': 'GenuineIntel', 'family': 6, 'model': 0x55}
GRANITE_RAPIDS = {'vendor': 'GenuineIntel', 'family': 6, 'model': 0xAD}
MILAN = {'vendor': 'AuthenticAMD', 'family': 25, 'model': 1}

# A Xeon of 205 W: units, limits from 95 to 336 W, base frequency 2.4 GHz, 0.8 to 3.7 GHz
HELD = {
    0x606: 0xA0E03,
    0x610: 0x40868000158528,
    0x614: 0x0A8002F80668,
    0xCE: 0x80838F1011800,
    0x770: 1,
    0x771: 0x08101825,
    0x774: 0x80002508,
    0x1A0: 0x850089,
    0x1A4: 0,
    0x1B0: 6,
    0x1FC: 2,
    0x620: 0xC18,
}


def node_of(cpu, driver='', **held):
    values = dict(HELD)
    values.update({int(address[1:], 16): value for address, value in held.items()})
    return Node(
        cpu,
        driver,
        registers_of(cpu),
        {address: {0: value, 1: value} for address, value in values.items() if value is not None},
        [0, 1],
    )


def resolved(statement, node):
    return expect(parse_policy([statement]), node)


def bits_of(statement, node):
    """Return {address: (bits, mask)} of a statement that is the same on both CPUs."""
    expected = resolved(statement, node)
    assert expected.notes == expected.problems == []
    assert all(of_cpu[0] == of_cpu[1] for of_cpu in expected.bits.values())
    return {address: of_cpu[0] for address, of_cpu in expected.bits.items()}


@pytest.mark.parametrize(
    'control, value, address, bits, mask',
    [
        ('package_power_limit', '205 W', 0x610, 0x8668, 0xFFFF),
        ('package_power_limit', '205000 mW', 0x610, 0x8668, 0xFFFF),
        ('package_power_limit', '80 %', 0x610, 0x8520, 0xFFFF),
        ('turbo', False, 0x1A0, 1 << 38, 1 << 38),
        ('turbo', 'off', 0x1A0, 1 << 38, 1 << 38),
        ('turbo', True, 0x1A0, 0, 1 << 38),
        ('prefetchers', 'off', 0x1A4, 0xF, 0xF),
        ('prefetchers', 'on', 0x1A4, 0, 0xF),
        ('c1e', 'off', 0x1FC, 0, 2),
        ('uncore_maximum_frequency', '1.6 GHz', 0x620, 0x10, 0x7F),
        ('uncore_minimum_frequency', '1600 MHz', 0x620, 0x1000, 0x7F00),
        ('energy_preference', 'balance_power', 0x774, 192 << 24, 0xFF << 24),
        ('maximum_frequency', '2.4 GHz', 0x774, 0x1800, 0xFF00),
        ('maximum_frequency', '100 %', 0x774, 0x1800, 0xFF00),
        ('minimum_frequency', '1.2 GHz', 0x774, 0xC, 0xFF),
    ],
)
def test_controls_of_a_xeon(control, value, address, bits, mask):
    assert bits_of({'control': control, 'value': value}, node_of(SKYLAKE)) == {address: (bits, mask)}


def test_without_hwp_the_preference_is_the_bias():
    node = node_of(SKYLAKE, x770=0)
    assert bits_of({'control': 'energy_preference', 'value': 'power'}, node) == {0x1B0: (15, 15)}
    expected = resolved({'control': 'maximum_frequency', 'value': '2 GHz'}, node)
    assert 'HWP_ENABLE of PM_ENABLE is off' in expected.notes[0]


@pytest.mark.parametrize(
    'value, words',
    [
        ('400 W', ['400 W', 'at most 336', 'MAX_POWER of PKG_POWER_INFO']),
        ('50 W', ['at least 95', 'MIN_POWER']),
        ('200 %', ['200 %', '410', 'at most 336']),
    ],
)
def test_a_limit_beyond_what_the_cpu_says_is_refused(value, words):
    expected = resolved({'control': 'package_power_limit', 'value': value}, node_of(SKYLAKE))
    assert expected.bits == {} and len(expected.problems) == 1
    assert all(word in expected.problems[0] for word in words)


def test_a_limit_is_not_compared_with_one_that_the_cpu_does_not_say():
    node = node_of(SKYLAKE, x614=0x668)
    assert bits_of({'control': 'package_power_limit', 'value': '400 W'}, node)


def test_a_locked_register_is_a_problem_only_where_it_holds_something_else():
    locked = {'x610': 1 << 63 | 0x40868000158668}
    assert bits_of({'control': 'package_power_limit', 'value': '205 W'}, node_of(SKYLAKE, **locked))
    expected = resolved({'control': 'package_power_limit', 'value': '165 W'}, node_of(SKYLAKE, **locked))
    assert 'is locked until the next reset' in expected.problems[0]


@pytest.mark.parametrize(
    'cpu, control, value, words',
    [
        (MILAN, 'package_power_limit', '205 W', 'AMD power limits are not MSRs'),
        (MILAN, 'uncore_maximum_frequency', '2 GHz', 'HSMP'),
        (MILAN, 'c1e', 'off', 'no such register'),
        (MILAN, 'maximum_frequency', '2 GHz', 'cpupower'),
        (MILAN, 'energy_preference', 'power', 'amd-pstate'),
        (GRANITE_RAPIDS, 'uncore_maximum_frequency', '2 GHz', 'TPMI'),
    ],
)
def test_what_a_cpu_has_not_is_said_with_what_does_it(cpu, control, value, words):
    expected = resolved({'control': control, 'value': value}, node_of(cpu))
    assert expected.bits == {} and expected.problems == []
    assert words in expected.notes[0]


def test_what_the_kernel_owns_is_said_with_the_driver():
    for control, value in (('maximum_frequency', '2 GHz'), ('energy_preference', 'power')):
        expected = resolved({'control': control, 'value': value}, node_of(SKYLAKE, 'intel_pstate'))
        assert expected.bits == {} and 'driver intel_pstate owns IA32_HWP_REQUEST' in expected.notes[0]
    statement = {'register': 'HWP_REQUEST', 'field': 'MAXIMUM_PERFORMANCE', 'value': '2 GHz'}
    assert 'intel_pstate owns' in resolved(statement, node_of(SKYLAKE, 'intel_pstate')).notes[0]
    # It reads this bit, and does not write it; acpi-cpufreq does
    assert bits_of({'control': 'turbo', 'value': 'off'}, node_of(SKYLAKE, 'intel_pstate'))
    assert (
        'acpi-cpufreq owns' in resolved({'control': 'turbo', 'value': 'off'}, node_of(SKYLAKE, 'acpi-cpufreq')).notes[0]
    )


def test_amd_has_turbo_and_prefetchers_in_registers_of_its_own():
    node = node_of(MILAN, xC0010015=0, xC0000108=0)
    assert bits_of({'control': 'turbo', 'value': 'off'}, node) == {0xC0010015: (1 << 25, 1 << 25)}
    assert bits_of({'control': 'prefetchers', 'value': 'off'}, node) == {0xC0000108: (0x2F, 0x2F)}


def test_a_name_that_a_sites_list_gives_is_no_register_of_the_table():
    """An override may put 0x1A0 on an AMD node's list under Intel's name: turbo is still AMD's."""
    node = node_of(MILAN, xC0010015=0, xC0000108=0)
    named = Register(0x1A0, 'IA32_MISC_ENABLE', 'configuration', '', ())
    node = node._replace(registers=Registers([*node.registers.by_address.values(), named]))
    assert bits_of({'control': 'turbo', 'value': 'off'}, node) == bits_of(
        {'control': 'turbo', 'value': 'off'}, node_of(MILAN, xC0010015=0, xC0000108=0)
    )


def test_what_could_not_be_read_is_a_problem_not_a_guess():
    assert (
        '0x614) could not be read'
        in resolved({'control': 'package_power_limit', 'value': '205 W'}, node_of(SKYLAKE, x614=None)).problems[0]
    )
    faults = resolved({'control': 'turbo', 'value': 'off'}, node_of(SKYLAKE, x1A0='the processor faulted'))
    assert 'the processor faulted' in faults.problems[0]


def test_each_cpu_is_resolved_by_what_it_says_itself():
    node = node_of(SKYLAKE)
    node.values[0x614][1] = 0x0A8002F80528  # 165 W on the second package
    expected = resolved({'control': 'package_power_limit', 'value': '100 %'}, node)
    assert expected.bits[0x610] == {0: (0x8668, 0xFFFF), 1: (0x8528, 0xFFFF)}


def test_of_two_statements_the_later_holds_where_both_apply():
    policy = [
        {'control': 'turbo', 'value': 'on'},
        {'control': 'turbo', 'value': 'off', 'cpus': '1'},
        {'control': 'turbo', 'value': 'off', 'cpu_models': ['al_191']},
    ]
    expected = expect(parse_policy(policy), node_of(SKYLAKE))
    assert expected.bits == {0x1A0: {0: (0, 1 << 38), 1: (1 << 38, 1 << 38)}}


def test_registers_are_set_by_field_by_bits_and_in_units():
    assert bits_of(
        {'register': 'MISC_FEATURE_CONTROL', 'field': 'L2_HW_PREFETCHER_DISABLE', 'value': 1}, node_of(SKYLAKE)
    ) == {0x1A4: (1, 1)}
    assert bits_of({'register': '0x1A4', 'value': '0x3', 'mask': '0xF'}, node_of(SKYLAKE)) == {0x1A4: (3, 0xF)}
    statement = {'register': 'PKG_POWER_LIMIT', 'field': 'PL2_POWER_LIMIT'}
    assert bits_of(dict(statement, value='250 W'), node_of(SKYLAKE)) == {0x610: (2000 << 32, 0x7FFF << 32)}
    assert 'has a unit' in resolved(dict(statement, value=250), node_of(SKYLAKE)).problems[0]
    assert bits_of(dict(statement, value='0x7D0'), node_of(SKYLAKE)) == {0x610: (2000 << 32, 0x7FFF << 32)}
    missing = resolved({'register': 'HWCR', 'field': 'CPB_DISABLE', 'value': 1}, node_of(SKYLAKE))
    assert 'this CPU has no register HWCR' in missing.notes[0]


def test_a_cpu_that_is_offline_is_a_problem():
    assert (
        'CPU 7 is not online'
        in resolved({'control': 'turbo', 'value': 'off', 'cpus': '0,7'}, node_of(SKYLAKE)).problems[0]
    )


@pytest.mark.parametrize('name', sorted(CPUS))
def test_every_way_names_fields_that_the_table_has(name):
    cpu = {'vendor': '', 'family': int(name[3:5], 16), 'model': int(name[5:], 16)}
    node = Node(cpu, '', registers_of(cpu), {}, [0])
    for control in CONTROLS.values():
        for way in control.ways:
            register = register_of_way(way, node)
            for field in fields_of(way, register) if register else ():
                assert find_field(register, field)


def test_every_name_in_the_table_of_controls_is_that_of_a_register():
    known = {short.partition('_')[2] if short.startswith(('IA32_', 'MSR_')) else short for short in all_names()}
    assert set(registers_meant(CONTROLS)) <= known


def all_names():
    for name in CPUS:
        cpu = {'family': int(name[3:5], 16), 'model': int(name[5:], 16)}
        for register in registers_of(cpu).by_address.values():
            yield register.name


@pytest.mark.parametrize(
    'statement, words',
    [
        ({'control': 'turbp', 'value': 'off'}, 'Did you mean turbo?'),
        ({'control': 'turbo', 'value': '3 W'}, 'cannot be 3 W'),
        ({'control': 'package_power_limit', 'value': 205}, 'cannot be 205'),
        ({'control': 'package_power_limit', 'value': '205 parsec'}, 'is not a value'),
        ({'control': 'package_power_limit', 'value': '9' * 5000}, 'is not a value'),
        ({'control': 'package_power_limit', 'value': '0x' + 'f' * 5000}, 'is not a value'),
        ({'control': 'uncore_maximum_frequency', 'value': '80 %'}, 'cannot be 80 %'),
        ({'control': 'energy_preference', 'value': 'fast'}, 'is not fast'),
        ({'control': 'turbo'}, 'has no value'),
        ({'value': 'off'}, 'either a control or a register'),
        ({'control': 'turbo', 'register': 'HWCR', 'value': 1}, 'either a control or a register'),
        ({'control': 'turbo', 'value': 'off', 'field': 'X'}, 'a control has no field'),
        ({'control': 'turbo', 'value': 'off', 'cpu': '3'}, 'there is no cpu'),
        ({'control': 'turbo', 'value': 'off', 'cpus': 'x'}, 'cpulist'),
        ({'register': '0x1A4', 'value': '0x1F', 'mask': '0xF'}, 'outside the mask'),
        ({'register': '0x1A4', 'value': 'off'}, 'of which field'),
        ({'register': 'MISC_ENABLE', 'field': 'X', 'mask': '1', 'value': 1}, 'both given'),
        ({'control': 'turbo', 'value': 'off', 'cpu_models': 'al_0655, al_066a'}, 'is not the name of a list'),
        ({'control': 'turbo', 'value': 'off', 'cpu_models': 655}, "'655' is not the name of a list"),
        ({'control': 'turbo', 'value': 'off', 'cpu_models': ['al_0655', 'Skylake']}, "'Skylake' is not the name"),
        ({'control': 'turbo', 'value': 'off', 'cpu_models': ['al_065E']}, 'is not the name of a list'),
        ('turbo off', 'is not a statement'),
    ],
)
def test_what_no_cpu_could_do_is_refused_before_any_node_is_asked(statement, words):
    with pytest.raises(MsrSafeError) as caught:
        parse_policy([{'control': 'c1e', 'value': 'on'}, statement])
    assert words in str(caught.value)
    assert words == 'cpulist' or 'statement 2' in str(caught.value)


def test_registers_of_a_policy_are_those_that_decide_it():
    names = registers_named(parse_policy([{'control': 'package_power_limit', 'value': '80 %'}]))
    assert names == ['PKG_POWER_INFO', 'PKG_POWER_LIMIT']
