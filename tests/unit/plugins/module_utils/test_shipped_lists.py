# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tests of the lists that are shipped."""

import pathlib
import re

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import parse_list, render_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.directory import cpu_of_name
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.header import cpu_of_text
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.lint import lint, refused
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of

COLLECTION = pathlib.Path(__file__).resolve().parents[4]
LISTS = COLLECTION / 'approved_lists'
TIERS = ('shared', 'monitor', 'perf', 'power')

# fmt: off
COVERAGE = [
    'al_062a', 'al_062d', 'al_063c', 'al_063e', 'al_063f', 'al_0645', 'al_0646', 'al_064f', 'al_0655', 'al_0657',
    'al_064e', 'al_0656', 'al_065e', 'al_066a', 'al_0685', 'al_068f', 'al_06ad', 'al_06ae', 'al_06af', 'al_06cf',
    'al_063a', 'al_0647', 'al_066c', 'al_069e', 'al_06a5', 'al_06a7', 'al_06b7', 'al_06dd', 'al_131',
    'al_171', 'al_1731', 'al_191', 'al_1911', 'al_1921', 'al_1990', 'al_19a0', 'al_1a2', 'al_1a11',
    'al_1930', 'al_198', 'al_1918', 'al_1961', 'al_1a8', 'al_1a44', 'al_180', 'al_181', 'al_182',
    'al_1a50', 'al_1a51', 'al_1a52', 'al_1a53', 'al_1a54', 'al_1a55', 'al_1a56', 'al_1a57',
    'al_1a58', 'al_1a59', 'al_1a5a', 'al_1a5b', 'al_1a5c', 'al_1a5d', 'al_1a5e', 'al_1a5f',
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


# What tier power has since sites have it, with what the lint says of it.
KEPT = {0x19B, 0x19C, 0x1AD, 0x1AE, 0x1AF, 0x1B1, 0x1B2}


@every_tier
@every_list
def test_lint_that_knows_the_cpu_has_nothing_to_say_but_of_what_is_kept(name, tier):
    findings = lint(read(name, tier), tier=tier, registers=registers_of(cpu_of_name(name)))
    assert {finding.address for finding in findings} <= (KEPT if tier == 'power' else set())
    assert refused(findings) == []


@every_tier
@every_list
def test_the_header_says_which_cpu(name, tier):
    path = LISTS / name if tier == 'power' else LISTS / tier / name
    header = cpu_of_text(path.read_text(encoding='utf-8'))
    family, model = int(name[3:5], 16), int(name[5:], 16)
    vendor = {6: 'GenuineIntel', 0x13: 'GenuineIntel', 0x18: 'HygonGenuine'}.get(family, 'AuthenticAMD')
    assert (header['vendor'], header['family'], header['model']) == (vendor, family, model)
    assert header['name']


@every_list
def test_tier_shared_fits_shared_nodes(name):
    entries = read(name, 'shared')
    assert [entry.mask for entry in entries] == [0] * len(entries)
    assert lint(entries, tier='shared', registers=registers_of(cpu_of_name(name))) == []
    assert not ENERGY & set(masks(entries))


@every_list
def test_other_tiers_do_not(name):
    findings = lint(read(name), shared=True, registers=registers_of(cpu_of_name(name)))
    said = {finding.address for finding in findings}
    apart = set(masks(read(name))) - set(masks(read(name, 'shared')))
    writable = {entry.address for entry in read(name) if entry.mask}
    assert said == apart | writable
    assert refused(findings) == []


@every_list
def test_monitor_is_read_only_and_without_energy(name):
    entries = read(name, 'monitor')
    assert [entry.mask for entry in entries] == [0] * len(entries)
    assert not ENERGY & set(masks(entries))


@every_list
def test_a_tier_has_what_the_one_before_it_has(name):
    shared, monitor, perf, power = (masks(read(name, tier)) for tier in TIERS)
    assert set(shared) <= set(monitor) <= set(perf) <= set(power)
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


# Names that only counters, and only status registers, have.
COUNTER = re.compile(
    r'PMC\d+$|CTR\d*$|[AMP]PERF|TSC|COUNT(ER)?$|RESIDENCY$|C\d_RES(_MS)?$|ENERGY_STAT(US)?$|[A-Z]+_PERF_STATUS$|METRICS$'
)
STATUS = re.compile(r'STAT(US)?$|STATUS_(RESET|CLR)$|OVF_CTRL$|LIMIT_REASONS$|CUR_LIM$')
GOVERNED = {'IA32_PERF_CTL', 'IA32_HWP_REQUEST', 'PSTATE_CTL', 'CPPC_REQUEST'}
STATUS_DESPITE_THE_NAME = {'IA32_PERF_STATUS', 'MSR_UNCORE_PERF_STATUS'}


@every_list
def test_counters_and_status_are_marked(name):
    """What counts or is set by hardware must not be written back by a restore."""
    for entry in read(name):
        if COUNTER.search(entry.name) and entry.name not in STATUS_DESPITE_THE_NAME:
            assert entry.kind == 'counter', entry
        elif entry.name in GOVERNED:
            assert entry.kind == 'governed', entry
        elif STATUS.search(entry.name):
            assert entry.kind == 'status', entry
        else:
            assert entry.kind == 'configuration', entry
