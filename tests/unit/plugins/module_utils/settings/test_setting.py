# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.access.write import carry_out_writes, summarize_problems
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.cpu import read_cpu
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of
from ansible_collections.hpc.msr_safe.plugins.module_utils.settings.setting import (
    name_owner,
    plan_settings,
    render_changes,
    summarize_changes,
)

POWER_UNIT, POWER_LIMIT, MISC_ENABLE, PREFETCHERS = 0x606, 0x610, 0x1A0, 0x1A4
LIST = """\
0x000001A0 0x0000004000000000
0x000001A4 0x000000000000000F
0x00000606 0x0000000000000000
0x00000610 0x0000000000FFFFFF
"""
EIGHTHS = 0x000A0E03
OPTIONS = {'field': None, 'mask': None, 'unit': None, 'cpus': 'all'}


@pytest.fixture
def power_node(node):
    """A node with power limits: 150 W in eighths of a watt."""
    node.activate(LIST)
    node.set_register(POWER_UNIT, EIGHTHS)
    node.set_register(POWER_LIMIT, 0x1B84B0)
    return node


def plan(node, *settings):
    registers = registers_of(read_cpu(node.machine))
    return plan_settings(node.machine, [dict(OPTIONS, **each) for each in settings], registers)


def refusal(node, *settings):
    with pytest.raises(MsrSafeError) as caught:
        plan(node, *settings)
    assert all(operation[1] == 'read' for batch in node.batches for operation in batch)
    return str(caught.value)


def limit(value=200, unit='watts', **more):
    return dict(register='PKG_POWER_LIMIT', field='PL1_POWER_LIMIT', value=str(value), unit=unit, **more)


def changes(planned):
    return [(row['name'], row['before'], row['after'], row['cpus']) for row in summarize_changes(planned)]


def test_a_field_in_its_unit(power_node):
    planned = plan(power_node, limit(200))
    assert changes(planned) == [('MSR_PKG_POWER_LIMIT', '0x00000000001b84b0', '0x00000000001b8640', '0-3')]
    assert summarize_changes(planned)[0]['fields'] == {
        'PL1_POWER_LIMIT': {'before': 150.0, 'after': 200.0, 'unit': 'watts'}
    }


def test_carrying_it_out_twice_writes_once(power_node):
    assert carry_out_writes(power_node.machine, plan(power_node, limit(200)).writes) == []
    assert power_node.register(POWER_LIMIT, 3) == 0x1B8640
    assert plan(power_node, limit(200)).writes == []
    assert plan(power_node, limit(200000, 'milliwatts')).writes == []
    assert plan(power_node, limit(200.04)).writes == []


def test_writes_only_the_cpus_that_differ(power_node):
    power_node.set_register(POWER_LIMIT, 0x1B8640, cpus=[1, 2])
    assert [row[3] for row in changes(plan(power_node, limit(200)))] == ['0,3']


def test_writes_only_the_cpus_that_are_meant(power_node):
    assert [row[3] for row in changes(plan(power_node, limit(200, cpus='1-2')))] == ['1-2']


def test_each_cpu_has_its_own_units(power_node):
    power_node.set_register(POWER_UNIT, EIGHTHS + 1, cpus=[2, 3])
    assert [(after, cpus) for _name, _before, after, cpus in changes(plan(power_node, limit(200)))] == [
        ('0x00000000001b8640', '0-1'),
        ('0x00000000001b8c80', '2-3'),
    ]


def test_several_settings_of_a_register_are_one_write(power_node):
    planned = plan(
        power_node,
        limit(200),
        {'register': 'PKG_POWER_LIMIT', 'field': 'PL1_LIMIT_ENABLE', 'value': 'false'},
        {'register': 'PKG_POWER_LIMIT', 'field': 'PL1_TIME_WINDOW', 'value': '2', 'unit': 'seconds', 'cpus': '0'},
        {'register': '0x1A4', 'value': '0x5', 'mask': '0x5', 'cpus': '3'},
    )
    power_node.batches.clear()
    carry_out_writes(power_node.machine, planned.writes)
    assert [len(batch) for batch in power_node.batches] == [5, 8]
    assert power_node.register(POWER_LIMIT, 1) == 0x1B0640
    assert power_node.register(PREFETCHERS, 3) == 5


def test_bits_of_a_mask_leave_the_others(power_node):
    power_node.set_register(PREFETCHERS, 0xA)
    planned = plan(power_node, {'register': 'MISC_FEATURE_CONTROL', 'value': '1', 'mask': '3'})
    assert [row[2] for row in changes(planned)] == ['0x0000000000000009']


def test_a_whole_register_may_repeat_bits_that_cannot_be_written(power_node):
    power_node.set_register(MISC_ENABLE, 0x850089)
    planned = plan(power_node, {'register': 'MISC_ENABLE', 'value': '0x4000850089'})
    assert [row[2] for row in changes(planned)] == ['0x0000004000850089']
    said = refusal(power_node, {'register': 'MISC_ENABLE', 'value': '0x4000850088'})
    assert 'FAST_STRINGS_ENABLE of IA32_MISC_ENABLE (0x1A0) cannot be written' in said


@pytest.mark.parametrize('value, bit', [('true', 1), ('True', 1), ('1', 1), ('on', 1), ('no', 0), ('0', 0)])
def test_a_field_of_one_bit_is_a_switch(power_node, value, bit):
    power_node.set_register(MISC_ENABLE, (1 - bit) << 38)
    planned = plan(power_node, {'register': 'MISC_ENABLE', 'field': 'TURBO_MODE_DISABLE', 'value': value})
    assert {write.after for write in planned.writes} == {bit << 38}


@pytest.mark.parametrize(
    'setting, words',
    [
        (limit(5000), ('PL1_POWER_LIMIT of MSR_PKG_POWER_LIMIT (0x610) cannot hold 5000 watts', '0 to 4095.875 watts')),
        (limit(200, 'seconds'), ('PL1_POWER_LIMIT of MSR_PKG_POWER_LIMIT', 'in watts, not in seconds')),
        (limit('much'), ('MSR_PKG_POWER_LIMIT (0x610)', "'much' is not a number")),
        (limit(200, None), ('PL1_POWER_LIMIT of MSR_PKG_POWER_LIMIT', 'unit: raw')),
        (limit('0x8000', 'raw'), ('PL1_POWER_LIMIT', 'cannot hold 32768')),
        (limit(200, cpus='7'), ('CPU 7 is not online', '0-3')),
        (limit(200, mask='0x1'), ('field and mask',)),
        (
            {'register': 'PKG_POWER_LIMIT', 'field': 'PL2_POWER_LIMIT', 'value': '1', 'unit': 'watts'},
            ('PL2_POWER_LIMIT of MSR_PKG_POWER_LIMIT (0x610) cannot be written', '0x0000000000ffffff', 'overrides'),
        ),
        ({'register': 'PKG_POWER_LIMIT', 'value': '1', 'unit': 'watts'}, ('a unit is given without a field',)),
        ({'register': 'PKG_POWER_LIMIT', 'field': 'PL1', 'value': '1'}, ('no field PL1', 'PL1_POWER_LIMIT')),
        ({'register': 'PKG_POWER_LIMTI', 'value': '1'}, ('no register PKG_POWER_LIMTI', 'MSR_PKG_POWER_LIMIT')),
        ({'register': 'DRAM_POWER_LIMIT', 'value': '1'}, ('MSR_DRAM_POWER_LIMIT (0x618) is not on the active',)),
        ({'register': '0x1A4', 'value': '0x10', 'mask': '0xF'}, ('MSR_MISC_FEATURE_CONTROL', 'outside the mask')),
        (
            {'register': '0x1A4', 'value': '0x10', 'mask': '0x1F'},
            ('4 of MSR_MISC_FEATURE_CONTROL', 'cannot be written'),
        ),
        ({'register': '0x1A4', 'value': '-1'}, ("'-1' is not a number",)),
    ],
)
def test_what_cannot_be_is_refused_and_named(power_node, setting, words):
    said = refusal(power_node, limit(200), setting)
    for word in words:
        assert word in said


def test_all_refusals_are_said_at_once(power_node):
    said = refusal(power_node, {'register': 'NONE_SUCH', 'value': '1'}, {'register': 'OTHER_ONE', 'value': '1'})
    assert 'NONE_SUCH' in said
    assert 'OTHER_ONE' in said


def test_settings_that_contradict_each_other_are_refused(power_node):
    said = refusal(power_node, limit(200, cpus='0-1'), limit(150, cpus='1-2'))
    assert 'PL1_POWER_LIMIT' in said
    assert 'on CPU 1' in said
    assert plan(power_node, limit(200, cpus='0'), limit(150, cpus='1')).writes


def test_a_unit_that_cannot_be_read_is_refused(power_node):
    power_node.faults.add((2, POWER_UNIT))
    assert 'register 0x606 tells, which could not be read' in refusal(power_node, limit(200))


def test_a_register_that_cannot_be_read_is_a_problem_and_the_rest_is_set(power_node):
    power_node.faults.add((2, POWER_LIMIT))
    planned = plan(power_node, limit(200))
    assert [row[3] for row in changes(planned)] == ['0-1,3']
    assert [(row['cpus'], row['name']) for row in summarize_problems(planned.problems)] == [
        ('2', 'MSR_PKG_POWER_LIMIT')
    ]


def test_a_cpu_of_which_nothing_can_be_read_is_a_problem_and_the_rest_is_set(power_node):
    """One that went offline just now: neither the register nor the one that tells its units."""
    power_node.faults.update([(3, POWER_LIMIT), (3, POWER_UNIT)])
    planned = plan(power_node, limit(200), limit(1, 'raw', cpus='3'))
    assert [write.cpu for write in planned.writes] == [0, 1, 2]
    assert [(problem.cpu, problem.name) for problem in planned.problems] == [(3, 'MSR_PKG_POWER_LIMIT')]


def test_a_register_that_does_not_take_the_value_is_a_problem(power_node):
    power_node.stuck.add(POWER_LIMIT)
    problems = carry_out_writes(power_node.machine, plan(power_node, limit(200)).writes)
    assert 'did not take the value' in summarize_problems(problems)[0]['error']


def test_before_and_after_as_a_diff(power_node):
    rows = summarize_changes(plan(power_node, limit(200), {'register': '0x1A4', 'value': '0xF', 'cpus': '1'}))
    assert '0x00000000001b84b0  on CPU 0-3, PL1_POWER_LIMIT 150 watts\n' in render_changes(rows, 'before')
    assert 'on CPU 0-3, PL1_POWER_LIMIT 200 watts\n' in render_changes(rows, 'after')
    assert 'on CPU 1, L2_HW_PREFETCHER_DISABLE 1, ' in render_changes(rows, 'after')


def test_a_power_limit_of_each_package_reaches_all_its_dies(power_node):
    for cpu in range(4):
        topology = '/sys/devices/system/cpu/cpu%d/topology/' % cpu
        power_node.put(topology + 'physical_package_id', '0\n')
        power_node.put(topology + 'die_id', '%d\n' % (cpu // 2))
    (change,) = changes(plan(power_node, limit(200, cpus='one_per_package')))
    assert change[-1] == '0,2'


def test_the_owner_of_a_register_that_the_kernel_rewrites_is_named(power_node):
    power_node.activate('0x199 0xFFFF\n')
    power_node.put('/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver', 'acpi-cpufreq\n')
    power_node.stuck.add(0x199)
    planned = plan(power_node, {'register': 'PERF_CTL', 'value': '0x800'})
    problems = name_owner(power_node.machine, planned, carry_out_writes(power_node.machine, planned.writes))
    assert 'acpi-cpufreq owns it and rewrites it: use cpupower, or a policy' in summarize_problems(problems)[0]['error']
