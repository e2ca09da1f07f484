# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tests of the lists that are shipped, and of the source they are generated from."""

import pathlib
import subprocess
import sys

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_list import parse_list, render_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.lint import lint

COLLECTION = pathlib.Path(__file__).resolve().parents[4]
LISTS = COLLECTION / 'approved_lists'
TIERS = ('monitor', 'perf', 'power')

# fmt: off
COVERAGE = [
    'al_062a', 'al_062d', 'al_063c', 'al_063e', 'al_063f', 'al_0645', 'al_0646', 'al_064f', 'al_0655', 'al_0657',
    'al_064e', 'al_0656', 'al_065e', 'al_066a', 'al_0685', 'al_068f', 'al_06ad', 'al_06ae', 'al_06af', 'al_06cf',
    'al_171', 'al_1731', 'al_191', 'al_1911', 'al_1921', 'al_1990', 'al_19a0', 'al_1a2', 'al_1a11',
]
# fmt: on

ENERGY = {0x611, 0x619, 0x639, 0x641, 0x64D, 0xC001029A, 0xC001029B}


def read(name, tier='power'):
    """Return the entries of a shipped list."""
    path = LISTS / name if tier == 'power' else LISTS / tier / name
    return parse_list(path.read_text(encoding='utf-8'), str(path))


def masks(entries):
    return {entry.address: entry.mask for entry in entries}


every_list = pytest.mark.parametrize('name', COVERAGE)
every_tier = pytest.mark.parametrize('tier', TIERS)


@every_tier
def test_all_cpus_are_covered(tier):
    directory = LISTS if tier == 'power' else LISTS / tier
    assert sorted(path.name for path in directory.glob('al_*')) == sorted(COVERAGE)


@every_tier
@every_list
def test_lint_has_nothing_to_say(name, tier):
    assert lint(read(name, tier), tier=tier) == []


@every_list
def test_shared_nodes_are_warned_of_energy_only(name):
    assert {finding.address for finding in lint(read(name), shared=True)} <= ENERGY


@every_list
def test_monitor_is_read_only_and_without_energy(name):
    entries = read(name, 'monitor')
    assert [entry.mask for entry in entries] == [0] * len(entries)
    assert not ENERGY & set(masks(entries))


@every_list
def test_a_tier_has_what_the_one_before_it_has(name):
    monitor, perf, power = (masks(read(name, tier)) for tier in TIERS)
    assert set(monitor) <= set(perf) <= set(power)
    assert all(mask & ~power[address] == 0 for address, mask in perf.items())


@every_tier
@every_list
def test_every_entry_has_a_name_of_its_own(name, tier):
    names = [entry.name for entry in read(name, tier)]
    assert '' not in names
    assert len(set(names)) == len(names)


@every_tier
@every_list
def test_list_is_in_address_order(name, tier):
    addresses = [entry.address for entry in read(name, tier)]
    assert addresses == sorted(addresses)


@every_list
def test_render_and_parse_agree(name):
    entries = [entry._replace(line=None) for entry in read(name)]
    assert [entry._replace(line=None) for entry in parse_list(render_list(entries), name)] == entries


@every_list
def test_counters_and_status_are_marked(name):
    """What counts or is set by hardware must not be written back by a restore."""
    kinds = {entry.name: entry.kind for entry in read(name)}
    for register, kind in kinds.items():
        if register.endswith(('_STATUS', '_STATUS_RESET', '_OVF_CTRL')):
            assert kind in ('status', 'counter'), register
        if 'CTR' in register and not register.endswith(('CTRL', 'CTL')):
            assert kind == 'counter', register
        if register.endswith(('_TIME_STAMP_COUNTER', 'PERF', 'RESIDENCY', '_ENERGY_STATUS', 'TSC')):
            assert kind == 'counter', register


# The source of truth --------------------------------------------------------------


def generate(*arguments):
    """Run the generator; return its exit code and what it said."""
    pytest.importorskip('yaml')
    process = subprocess.Popen(
        [sys.executable, '-B', str(LISTS / 'source' / 'generate.py'), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    output = process.communicate()[0]
    return process.returncode, output


def test_lists_and_source_agree():
    assert generate('--check') == (0, '')


def test_explain_says_where_an_entry_comes_from():
    code, output = generate('--explain', 'al_068f', '0x774')
    assert code == 0
    assert 'IA32_HWP_REQUEST' in output
    assert 'SDM vol. 4' in output


# The seed lists of 2020 -----------------------------------------------------------
#
# What sites start from, as a compact table of facts: write masks by address.

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


def deviations(name):
    """Return what the deviation table says of a list: our mask (None: not listed) by address."""
    yaml = pytest.importorskip('yaml')
    table = yaml.safe_load((LISTS / 'source' / 'deviations.yml').read_text(encoding='utf-8'))
    return {
        address: deviation['ours']
        for deviation in table
        if name in deviation['lists'] and deviation['why']
        for address in range(deviation['first'], deviation.get('last', deviation['first']) + 1)
        if address in SEEDS[name]
    }


@pytest.mark.parametrize('name', sorted(SEEDS))
def test_seed_list_is_in_tier_power_or_in_the_deviation_table(name):
    shipped = masks(read(name))
    departures = {
        address: shipped.get(address) for address, mask in SEEDS[name].items() if shipped.get(address) != mask
    }
    assert departures == deviations(name)
