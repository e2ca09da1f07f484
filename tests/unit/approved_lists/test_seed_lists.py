# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tests that the tier power has what sites had: the ten sample lists of 2020, and the deviation table.

The table here is of facts: write masks by address.
"""

import pathlib

import pytest
import yaml
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import parse_list

LISTS = pathlib.Path(__file__).resolve().parents[3] / 'approved_lists'

ALL = 0xFFFFFFFFFFFFFFFF
WORD = 0xFFFFFFFF


def row(first, count, mask):
    """Return ``count`` registers with the same mask."""
    return {first + number: mask for number in range(count)}


def boxes(count, base, stride, box):
    """Return the registers of ``count`` equal boxes, given by their offsets in a box."""
    return {base + number * stride + offset: mask for number in range(count) for offset, mask in box.items()}


def merged(*tables):
    """Return several tables as one, later ones winning."""
    result = {}
    for table in tables:
        result.update(table)
    return result


SEED_CORE = merged(
    row(0x10, 1, 0), row(0x17, 1, 0), row(0xCE, 1, 0), row(0xE7, 2, 0), row(0xC1, 8, 0), row(0x186, 8, WORD),
    {0x198: 0, 0x199: 0xFFFF, 0x19A: 0x1F, 0x19B: 0x01FFFF0F, 0x19C: 0xAAA, 0x1A0: 0, 0x1A2: 0},
    row(0x1A6, 2, 0x3FFFFF8FFF), {0x1AD: ALL, 0x1B0: 0xF, 0x1B1: 0xAAA, 0x1B2: 0x01FFFF07},
    row(0x309, 3, 0), {0x345: 0, 0x38D: 0xBBB, 0x38E: 0, 0x38F: 0x700000003, 0x390: 0xC000000700000003},
    {0x3F1: 0xF0000000F, 0x3F6: 0xFFFF, 0x606: 0, 0x610: 0x00FFFFFF00FFFFFF, 0x611: 0, 0x614: 0},
)  # fmt: skip
SEED_DRAM = {0x618: 0xFFFFFF, 0x619: 0, 0x61B: 0, 0x61C: 0}
SEED_SERVER = merged(SEED_DRAM, {0x613: 0})
SEED_UNCORE_RATIO = {0x620: 0x7F7F, 0x621: 0}
SEED_UBOX = {0x703: 0x500000, 0x704: 0xFFFFFFFFFFFF}
SEED_CBOX_IVYBRIDGE = merged({0x04: WORD, 0x14: WORD, 0x1A: WORD}, row(0x10, 4, WORD), row(0x16, 4, 0))
SEED_CBOX = merged(row(0x0, 8, WORD), row(0x8, 4, 0))
SWAPPED_IN_0646 = merged(
    row(0x186, 8, 0xFFFFFFFF00000000),
    {0x19A: 0x1F00000000, 0x19B: 0x01FFFF0F00000000, 0x1B0: 0xF00000000, 0x1B2: 0x01FFFF0700000000},
    row(0x1A6, 2, 0xFFFF8FFF0000003F),
    {0x38D: 0xBBB00000000, 0x38F: 0x300000007, 0x390: 0x3C0000007, 0x3F6: 0xFFFF00000000},
)


def without(table, *addresses):
    return {address: mask for address, mask in table.items() if address not in addresses}


SEEDS = {
    'al_062a': SEED_CORE,
    'al_062d': merged(SEED_CORE, SEED_SERVER),
    'al_063c': SEED_CORE,
    'al_063e': merged(
        without(SEED_CORE, 0x1AD),
        SEED_DRAM,
        without(boxes(15, 0xD00, 0x20, SEED_CBOX_IVYBRIDGE), 0xDBA),
    ),
    'al_063f': merged(
        SEED_CORE, SEED_SERVER, SEED_UNCORE_RATIO, row(0x1AE, 2, ALL), SEED_UBOX, boxes(18, 0xE00, 0x10, SEED_CBOX)
    ),
    'al_0645': merged(SEED_CORE, SEED_UNCORE_RATIO),
    'al_0646': merged(SEED_CORE, SEED_UNCORE_RATIO, SWAPPED_IN_0646),
    'al_064f': merged(
        SEED_CORE, SEED_SERVER, SEED_UNCORE_RATIO, row(0x1AE, 2, ALL), SEED_UBOX, boxes(22, 0xE00, 0x10, SEED_CBOX)
    ),
    'al_0655': merged(
        SEED_CORE, SEED_SERVER, SEED_UNCORE_RATIO, SEED_UBOX, boxes(28, 0xE00, 0x10, SEED_CBOX),
        row(0xC1, 8, ALL), row(0x309, 3, ALL),
        {0x1AE: ALL, 0x1FC: 0x180002, 0x64D: 0, 0x64E: 0, 0x64F: 0, 0x65C: 0x0001FFFF00FFFFFF},
    ),
    'al_0657': merged(
        without(SEED_CORE, 0x3F6, *(list(range(0xC3, 0xC9)) + list(range(0x188, 0x18E)))),
        SEED_SERVER, SEED_UNCORE_RATIO, {0x1A4: 0x3}, boxes(38, 0xE00, 0xC, SEED_CBOX),
    ),
}  # fmt: skip


def addresses_of(deviation):
    """Return the addresses of a row: one, a run, or the same offsets in each box."""
    if 'step' in deviation:
        base, stride, count = deviation['step']
        return [base + number * stride + offset for number in range(count) for offset in deviation['offsets']]
    return range(deviation['first'], deviation.get('last', deviation['first']) + 1)


def deviations(name):
    """Return what the deviation table says of a list: our mask (None: not listed) by address."""
    return {
        address: deviation['ours']
        for deviation in yaml.safe_load((LISTS / 'source' / 'deviations.yml').read_text(encoding='utf-8'))
        if name in deviation['lists'] and deviation['why']
        for address in addresses_of(deviation)
        if address in SEEDS[name]
    }


def shipped(name):
    """Return the write masks of a list of the tier power by address."""
    path = LISTS / name
    return {entry.address: entry.mask for entry in parse_list(path.read_text(encoding='utf-8'), str(path))}


@pytest.mark.parametrize('name', sorted(SEEDS))
def test_seed_list_is_in_tier_power_or_in_the_deviation_table(name):
    ours = shipped(name)
    departures = {address: ours.get(address) for address, mask in SEEDS[name].items() if ours.get(address) != mask}
    assert departures == deviations(name)
