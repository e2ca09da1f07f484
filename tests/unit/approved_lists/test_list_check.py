# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tests of the shipped lists against a check of them with independent public sources: mask, presence, unit."""

import pathlib

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of

LISTS = pathlib.Path(__file__).resolve().parents[3] / 'approved_lists'

ALL = 0xFFFFFFFFFFFFFFFF
SERVERS = ('al_0655', 'al_066a', 'al_068f', 'al_06cf', 'al_06ad', 'al_06ae')
GRANITE_RAPIDS = ('al_06ad', 'al_06ae')
XEON_6 = (*GRANITE_RAPIDS, 'al_06af', 'al_06dd')
ZEN_4_SERVERS = ('al_1911', 'al_19a0', 'al_1990', 'al_1a2', 'al_1a11')
AMD = ('al_171', 'al_1731', 'al_191', 'al_1921', 'al_1930', *ZEN_4_SERVERS)
SEEDS = ('al_062a', 'al_062d', 'al_063c', 'al_063e', 'al_063f', 'al_0645', 'al_0646', 'al_064f', 'al_0655')
SINCE_HASWELL = ('al_063c', 'al_063f', 'al_0645', 'al_0646', 'al_064f', 'al_0656', 'al_064e', 'al_065e', *SERVERS)
INTEL = (*SEEDS, 'al_0657', 'al_0685', 'al_064e', 'al_065e', 'al_0656', *SERVERS, 'al_06af')


def masks(name, tier='power'):
    path = LISTS / name if tier == 'power' else LISTS / tier / name
    return {entry.address: entry.mask for entry in parse_list(path.read_text(encoding='utf-8'), str(path))}


def registers(name):
    return registers_of({'family': int(name[3:5], 16), 'model': int(name[5:], 16)})


def fields(name, address):
    return {field.name: (field.high, field.low, field.unit) for field in registers(name).at(address).fields}


# (lists, tier, addresses, mask)
ROWS = [
    ('the unit and event masks of version 2', ZEN_4_SERVERS, 'perf', range(0xC0010240, 0xC0010260, 2), 0x3F0F40FFFF),
    ('sixteen fabric counters', ZEN_4_SERVERS, 'perf', range(0xC0010241, 0xC0010260, 2), 0xFFFFFFFFFFFF),
    ('memory controllers', ZEN_4_SERVERS, 'perf', range(0xC0010800, 0xC0010880, 2), 0x800003FF),
    ('memory controllers', ZEN_4_SERVERS, 'perf', range(0xC0010801, 0xC0010880, 2), 0xFFFFFFFFFFFF),
    ('instructions retired can be turned on, and nothing else', AMD, 'perf', [0xC0010015], 1 << 30),
    ('boost besides', AMD, 'power', [0xC0010015], 1 << 30 | 1 << 25),
    ('all counters can be enabled', SEEDS, 'perf', [0x38F], 0x7000000FF),
    ('all counters can be reset', SEEDS, 'perf', [0x390], 0xC0000007000000FF),
    ('Phi has two', ('al_0657', 'al_0685'), 'perf', [0x38F], 0x700000003),
    ('offcore response of Ice Lake', ('al_066a', 'al_066c'), 'perf', [0x1A6, 0x1A7], 0x3FFFFFBFFF),
    ('offcore response of Sapphire Rapids', ('al_068f', 'al_06cf'), 'perf', [0x1A6, 0x1A7], 0x3FFFFFFFFF),
    ('top-down metrics of Ice Lake', ('al_066a',), 'perf', [0x329], 0xFFFFFFFF),
    ('top-down metrics', ('al_068f', 'al_06cf', *GRANITE_RAPIDS), 'perf', [0x329], ALL),
    ('they can be enabled', SERVERS[1:], 'perf', [0x38F], 0x0001000F000000FF),
    ('front end', ('al_0655', 'al_066a'), 'perf', [0x3F7], 0x7FFF17),
    ('front end', SERVERS[2:], 'perf', [0x3F7], 0x7FFF1F),
    ('core counts of the turbo groups', ('al_066a',), 'power', [0x1AE], 0),
    ('configurable TDP', SINCE_HASWELL, 'power', [0x648, 0x649, 0x64A, 0x64B, 0x64C], 0),
    ('second limit of the board', ('al_068f', 'al_06cf'), 'power', [0x65C], 0x03FBFFFF03FFFFFF),
    ('power control', ('al_068f', 'al_06cf'), 'power', [0x1FC], 1 << 1 | 1 << 30 | 1 << 35),
    ('power control', ('al_066a',), 'power', [0x1FC], 0x180002 | 1 << 30 | 1 << 35),
    ('HWP request of the package', ('al_068f', 'al_06cf'), 'power', [0x772], 0x3FFFFFFFFFF),
    ('idle states and power management', INTEL, 'power', [0xE2, 0x1AA], 0),
    ('turbo ratios stay writable', ('al_0655',), 'power', [0x1AD, 0x1AE], ALL),
    ('turbo ratios stay writable', ('al_066a', 'al_068f'), 'power', [0x1AD], ALL),
    ('but not on shared nodes', ('al_0655', 'al_066a', 'al_068f'), 'shared', [0x1AD, 0x1AE], 0),
    ('thermal interrupts', SEEDS, 'power', [0x19B], 0x01FFFF0F),
    ('thermal interrupts, shared', INTEL, 'shared', [0x19B, 0x1B2], 0),
    ('thermal logs', INTEL, 'power', [0x19C, 0x1B1], 0xAAA),
    ('thermal logs, shared', INTEL, 'shared', [0x19C, 0x1B1], 0),
    ('no overflow interrupt', ('al_0655', 'al_063f', 'al_064f'), 'power', [0x703], 1 << 22),
    ('nor in the selects', ('al_0655',), 'power', [0xE01, 0xFB4], 0xFFCEFFFF),
    ('nor reserved bits', ('al_0655',), 'power', [0xE00, 0xFB0], 0x10103),
    ('nor in the filters', ('al_0655',), 'power', [0xE05], 0x07FE1FFF),
    ('nor in the filters', ('al_0655',), 'power', [0xE06], 0xFFFFFE3B),
    ('PEBS stays closed', ('al_0655', 'al_063f', 'al_064f'), 'power', [0x3F1], 0),
    ('information', XEON_6, 'power', [0xCE, 0x1A2, 0x1AA, 0xE2, 0x34, 0x1AD, 0x1AE, 0x54], 0),
    ('prefetchers', GRANITE_RAPIDS, 'power', [0x1A4], 0xF),
    ('prefetchers', ('al_06af',), 'power', [0x1A4], 0),
    ('power control', ('al_06ad',), 'power', [0x1FC], 1 << 1 | 1 << 30 | 1 << 35),
    ('power control', ('al_06ae',), 'power', [0x1FC], 1 << 1 | 1 << 30),
    ('power control', ('al_06af',), 'power', [0x1FC], 1 << 1),
    ('energy', XEON_6, 'perf', [0x606, 0x611, 0x613, 0x614, 0x619, 0x61B, 0x61C, 0x64D], 0),
    ('limits are for TPMI', XEON_6, 'power', [0x610, 0x618], 0),
    ('productive clock', GRANITE_RAPIDS, 'power', [0x64E], 0),
    ('configurable TDP', XEON_6, 'power', [0x648, 0x649, 0x64A, 0x64B, 0x64C], 0),
    ('idle states', XEON_6, 'power', [0x60D], 0),
    ('module', ('al_06af',), 'power', [0x664], 0),
    ('offcore response', GRANITE_RAPIDS, 'power', [0x1A6, 0x1A7], 0x3FFFFFFFFF),
    ('offcore response', ('al_06af',), 'power', [0x1A6], 0x800FF3FFFFFFFFFF),
    ('offcore response', ('al_06af',), 'power', [0x1A7], 0x0FF3FFFFFFFFFF),
    ('snoop response', ('al_06af',), 'power', [0x1328, 0x1329], ALL),
    ('load latency', (*GRANITE_RAPIDS, 'al_06af'), 'power', [0x3F6], 0xFFFF),
]


@pytest.mark.parametrize('what, names, tier, addresses, mask', ROWS, ids=[row[0] for row in ROWS])
def test_mask(what, names, tier, addresses, mask):
    for name in names:
        found = masks(name, tier)
        assert {address: found.get(address) for address in addresses} == dict.fromkeys(addresses, mask), name


# Whose registers they are: resctrl's everywhere; TPMI's on Xeon 6; uncore boxes are on 06_3E.
RESCTRL = (0xC8D, 0xC8E, 0xC8F, *range(0xC90, 0xCA0), 0xD10, 0xD50, 0xC0000200)


@pytest.mark.parametrize(
    'names, addresses',
    [
        (tuple(name for name in (*INTEL, *AMD) if name != 'al_063e'), RESCTRL),
        (XEON_6, (0x620, 0x621)),
        (('al_0657', 'al_0685'), (0x648, 0x649, 0x64A, 0x64B, 0x64C)),
        (('al_131',), (0x606, 0x610, 0x611, 0x619, 0x639, 0x64D, 0xC1, 0x186)),
        (GRANITE_RAPIDS, (0x664, 0x1328)),
        (('al_06af',), (0x64E, 0x329)),
    ],
)
def test_absent(names, addresses):
    for name in names:
        assert not set(addresses) & set(masks(name)), name


@pytest.mark.parametrize(
    'name, unit',
    [
        ('al_0656', 'dram_energy'),
        ('al_0655', 'dram_energy'),
        ('al_068f', 'energy'),
        ('al_06ad', 'energy'),
        ('al_06af', 'energy'),
        ('al_062d', 'energy'),
    ],
)
def test_unit_of_memory_energy(name, unit):
    assert fields(name, 0x619)['ENERGY'] == (31, 0, unit)


@pytest.mark.parametrize('name, unit', [('al_06ad', 'joules'), ('al_06ae', 'joules'), ('al_06af', 'energy')])
def test_unit_of_board_energy(name, unit):
    assert fields(name, 0x64D)['ENERGY'] == (31, 0, unit)


def test_fields():
    assert fields('al_0655', 0xCE)['MIN_OPERATING_RATIO'] == (55, 48, 'ratio')
    board = fields('al_068f', 0x65C)
    assert board['PL2_POWER_LIMIT'] == (48, 32, 'power')
    assert board['PL2_LIMIT_ENABLE'] == (49, 49, None)
    assert board['PL2_TIME_WINDOW'] == (57, 51, 'window')


def test_a_cpu_is_as_its_sibling():
    for one, other in (('al_066c', 'al_066a'), ('al_0685', 'al_0657'), ('al_06cf', 'al_068f'), ('al_1a11', 'al_1a2')):
        assert masks(one) == masks(other)
    for number in range(16):
        assert masks('al_1a5%x' % number) == masks('al_1a50')
    for name in ('al_180', 'al_181', 'al_182'):
        assert masks(name) == masks('al_171')
    trento, milan = masks('al_1930'), masks('al_191')
    assert {address: mask for address, mask in milan.items() if address not in trento} == {0xC0000108: 0x2F}
    assert all(milan[address] == mask for address, mask in trento.items())
