# SPDX-License-Identifier: GPL-3.0-or-later
"""msr: a register or a field becomes a value, where it is not, and nothing else changes."""

import pytest
from steps import checks, does, predicts

testinfra_hosts = ['ssh://skylake']

TURBO_OFF = 1 << 38
DISABLE_TURBO = {'register': 'MISC_ENABLE', 'field': 'TURBO_MODE_DISABLE', 'value': True}


def test_a_field_changes_where_it_differs_and_once(on_node, rdmsr, snapshot, turbo_off):
    before = rdmsr(0)
    turbo_off(1)
    done, again = on_node(predicts('msr', **DISABLE_TURBO), predicts('msr', **DISABLE_TURBO))
    assert [(row['cpus'], row['fields']) for row in done['changes']] == [
        ('0,2-3', {'TURBO_MODE_DISABLE': {'before': 0, 'after': 1, 'unit': None}})
    ]
    assert [rdmsr(cpu) for cpu in range(4)] == [before | TURBO_OFF] * 4
    assert (again['changed'], again['changes']) == (False, [])


def test_check_mode_leaves_the_register(on_node, rdmsr, snapshot):
    before = rdmsr(0)
    answer = on_node(checks('msr', **DISABLE_TURBO, cpus='one_per_core'))
    assert [row['cpus'] for row in answer['changes']] == ['0,2']
    assert 'on CPU 0,2, TURBO_MODE_DISABLE 1\n' in answer['diff']['after']
    assert rdmsr(0) == before


@pytest.mark.slow
def test_several_settings_at_once(on_node, rdmsr, snapshot):
    before = rdmsr(0)
    settings = [
        dict(DISABLE_TURBO, cpus='0'),
        {'register': '0x1A0', 'value': hex(TURBO_OFF), 'mask': hex(TURBO_OFF), 'cpus': '2-3'},
    ]
    answer = on_node(predicts('msr', settings=settings))
    assert [row['cpus'] for row in answer['changes']] == ['0,2-3']
    assert [rdmsr(cpu) for cpu in range(4)] == [before | TURBO_OFF, before, before | TURBO_OFF, before | TURBO_OFF]


def test_a_register_that_does_not_take_the_value_is_named_and_the_rest_is_set(on_node, rdmsr, snapshot):
    """QEMU drops what is written to most registers."""
    options = {'settings': [{'register': 'MISC_FEATURE_CONTROL', 'value': 15, 'mask': 15}, DISABLE_TURBO]}
    before = rdmsr(3)
    answer, tolerated = on_node(does('msr', **options), does('msr', **options, allow_partial=True))
    assert not answer.succeeded
    assert answer['msg'].startswith('Not set:\n0x000001A4 MSR_MISC_FEATURE_CONTROL on CPU 0-3: the register did not')
    assert [row['name'] for row in answer['changes']] == ['IA32_MISC_ENABLE']
    assert rdmsr(3) == before | TURBO_OFF
    assert tolerated.succeeded
    assert [row['name'] for row in tolerated['problems']] == ['MSR_MISC_FEATURE_CONTROL']


@pytest.mark.slow
@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (
            {'register': 'MISC_ENABLE', 'field': 'XD_DISABLE', 'value': 1},
            ['XD_DISABLE of IA32_MISC_ENABLE', 'write mask'],
        ),
        ({'register': 'MISC_ENABLE', 'field': 'TURBO', 'value': 1}, ['no field TURBO', 'TURBO_MODE_DISABLE']),
        (
            {'register': 'MISC_ENABLE', 'field': 'TURBO_MODE_DISABLE', 'value': 2},
            ['TURBO_MODE_DISABLE', 'cannot hold 2'],
        ),
        ({'register': '0xC0000080', 'value': 1}, ['0xC0000080 is not on the active approved list']),
        ({'register': 'PKG_POWER_LIMIT', 'field': 'PL1_POWER_LIMIT', 'value': 200}, ['PL1_POWER_LIMIT', 'unit']),
        ({**DISABLE_TURBO, 'cpus': '9'}, ['CPU 9 is not online']),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(on_node, rdmsr, options, words):
    before = [rdmsr(cpu) for cpu in range(4)]
    both = {'settings': [DISABLE_TURBO, options]}
    for answer in on_node(checks('msr', **both), does('msr', **both)):
        assert not answer.succeeded
        for word in words:
            assert word in answer['msg']
    assert [rdmsr(cpu) for cpu in range(4)] == before
