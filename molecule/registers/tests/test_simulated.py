# SPDX-License-Identifier: GPL-3.0-or-later
"""Power limits, temperatures, counters, faults and locks: simulated registers of a Skylake-SP, since QEMU has none.

The kernel module is the one of the role, built with registers that exist in memory only (make simulated).
"""

import json

import pytest
from steps import does, does_as_predicted, predicts

testinfra_hosts = ['ssh://skylake']

PATH = '/root/simulated.json'
LIMIT = {'register': 'PKG_POWER_LIMIT', 'field': 'PL1_POWER_LIMIT', 'unit': 'watts'}
FAULT = 'the processor faulted: it has no such register, or refuses the value'


@pytest.fixture
def simulated(simulated_node):
    """The registers are as after boot; calling it replaces some of them."""
    simulated_node()
    return simulated_node


def field(answer, register, name):
    (reading,) = answer['registers'][register]['readings']
    return reading['fields'][name]['value'], reading['fields'][name]['unit']


def test_fields_have_the_cpus_own_units(on_node, simulated):
    registers = ['PKG_POWER_LIMIT', 'TEMPERATURE_TARGET', 'IA32_THERM_STATUS', 'PERF_CTL']
    answer = on_node(predicts('msr_info', registers=registers))
    assert field(answer, 'PKG_POWER_LIMIT', 'PL1_POWER_LIMIT') == (150.0, 'watts')
    assert field(answer, 'PKG_POWER_LIMIT', 'PL2_POWER_LIMIT') == (180.0, 'watts')
    assert field(answer, 'IA32_THERM_STATUS', 'DIGITAL_READOUT') == (52, 'celsius')
    assert field(answer, 'PERF_CTL', 'FREQ') == (3.7e9, 'hertz')
    (reading,) = answer['registers']['PKG_POWER_LIMIT']['readings']
    assert reading['cpus'] == '0-3'


def test_a_limit_in_watts(on_node, simulated):
    done, read, again = on_node(
        does_as_predicted('msr', **LIMIT, value=200),
        does_as_predicted('msr_info', registers=['PKG_POWER_LIMIT']),
        does_as_predicted('msr', **LIMIT, value=200),
    )
    assert [(row['cpus'], row['fields']) for row in done['changes']] == [
        ('0-3', {'PL1_POWER_LIMIT': {'before': 150.0, 'after': 200.0, 'unit': 'watts'}})
    ]
    assert 'PL1_POWER_LIMIT 150 watts' in done['diff']['before']
    assert 'PL1_POWER_LIMIT 200 watts' in done['diff']['after']
    assert field(read, 'PKG_POWER_LIMIT', 'PL1_POWER_LIMIT')[0] == 200.0
    assert not again['changed']


@pytest.mark.slow
def test_one_package_only(on_node, simulated):
    _done, read = on_node(
        predicts('msr', **LIMIT, value=120, cpus='2'), predicts('msr_info', registers=['PKG_POWER_LIMIT'])
    )
    readings = read['registers']['PKG_POWER_LIMIT']['readings']
    limits = [(each['cpus'], each['fields']['PL1_POWER_LIMIT']['value']) for each in readings]
    assert sorted(limits) == [('0-1', 150.0), ('2-3', 120.0)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'value': 5000}, ['PL1_POWER_LIMIT of MSR_PKG_POWER_LIMIT (0x610) cannot hold 5000 watts', '4095.875 watts']),
        ({'value': 'a lot'}, ["'a lot' is not a number"]),
        ({'value': 1, 'unit': 'seconds'}, ['in watts, not in seconds']),
    ],
)
def test_what_does_not_fit_is_refused(on_node, simulated, options, words):
    answer = on_node(does('msr', **{**LIMIT, **options}))
    assert not answer.succeeded
    for word in words:
        assert word in answer['msg']


def test_a_locked_limit_is_named_and_the_rest_is_set(on_node, simulated):
    """A locked register drops what is written."""
    simulated('0x610 package 0x800785A0001584B0 writable=0x80FFFFFF00FFFFFF lock=63')
    answer = on_node(does('msr', settings=[{**LIMIT, 'value': 200}, {'register': 'MISC_FEATURE_CONTROL', 'value': 15}]))
    assert not answer.succeeded
    assert [(row['name'], row['cpus']) for row in answer['problems']] == [('MSR_PKG_POWER_LIMIT', '0-3')]
    assert 'did not take the value' in answer['msg']
    assert [(row['name'], row['cpus']) for row in answer['changes']] == [('MSR_MISC_FEATURE_CONTROL', '0-3')]


def test_registers_that_fault_are_named_everywhere_and_the_rest_is_done(on_node, host, simulated):
    simulated('0x620 package 0x0C18 read-faults', '0x1A4 core 0x3 writable=0xF write-faults')
    info, saved, partly_saved, setting, restored = on_node(
        does('msr_info', registers=['UNCORE_RATIO_LIMIT', 'MISC_FEATURE_CONTROL']),
        does('msr_save', path=PATH, overwrite=True),
        does('msr_save', path=PATH, overwrite=True, allow_partial=True),
        does('msr', settings=[{'register': 'MISC_FEATURE_CONTROL', 'value': 0}, {**LIMIT, 'value': 200}]),
        does('msr_restore', path=PATH),
    )
    assert info.succeeded
    assert info['registers']['UNCORE_RATIO_LIMIT']['errors'] == {FAULT: '0-3'}

    assert not saved.succeeded
    assert [(row['name'], row['cpus'], row['error']) for row in saved['unreadable']] == [
        ('MSR_UNCORE_RATIO_LIMIT', '0-3', FAULT)
    ]
    assert len(json.loads(host.file(PATH).content_string)['registers']) >= 30
    assert partly_saved.succeeded

    assert not setting.succeeded
    assert f'0x000001A4 MSR_MISC_FEATURE_CONTROL on CPU 0-3: {FAULT}' in setting['msg']
    assert [row['name'] for row in setting['changes']] == ['MSR_PKG_POWER_LIMIT']

    assert restored.succeeded, restored['msg']
    assert {row['name'] for row in restored['restored']} == {'MSR_PKG_POWER_LIMIT'}

    assert host.run(f'msrsave --overwrite {PATH}').rc == 3
    assert host.run(f'msrsave --overwrite --allow-partial {PATH}').rc == 0


def test_a_restore_goes_on_after_a_fault(on_node, host, simulated):
    simulated()
    assert host.run(f'msrsave --overwrite --allow-partial {PATH}').rc == 0
    simulated(
        '0x1A4 core 0xF writable=0xF write-faults',
        '0x610 package 0x000785A000158640 writable=0x80FFFFFF00FFFFFF lock=63',
    )
    answer, tolerated = on_node(does('msr_restore', path=PATH), does('msr_restore', path=PATH, allow_partial=True))
    assert not answer.succeeded
    assert f'0x000001A4 MSR_MISC_FEATURE_CONTROL on CPU 0-3: {FAULT}' in answer['msg']
    assert {row['name'] for row in answer['restored']} == {'MSR_PKG_POWER_LIMIT'}
    assert tolerated.succeeded


@pytest.mark.slow
def test_counters_run_on(on_node, host, simulated):
    saved, restored = on_node(
        does('msr_save', path=PATH, overwrite=True, allow_partial=True), predicts('msr_restore', path=PATH)
    )
    assert saved['registers']
    kinds = {each['name']: each['kind'] for each in json.loads(host.file(PATH).content_string)['registers'].values()}
    assert 'counter' in kinds.values()
    assert restored['restored'] == []
