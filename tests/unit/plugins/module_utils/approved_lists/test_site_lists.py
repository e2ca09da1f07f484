# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tests of lists as sites write them: names in quotes, prose, decimal numbers, odd file names, overrides that close."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import (
    apply_overrides,
    closing_nothing,
    parse_comment,
    parse_list,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.directory import (
    cpu_meant_by,
    is_odd,
    select_list,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.lint import WARN, lint
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import addresses_of_names, registers_of

IVY_BRIDGE = {'vendor': 'GenuineIntel', 'family': 6, 'model': 0x3A}
SKYLAKE = {'vendor': 'GenuineIntel', 'family': 6, 'model': 0x55}
UNKNOWN = {'vendor': 'GenuineIntel', 'family': 6, 'model': 0xFE}

QUOTED = """\
# MSR      Write Mask          Comment
0x000000C1 0x00000fffffffffff # "SMSR_PMC0"
0x0000019C 0x0000000000000aaa # "SMSR_THERM_STATUS"
0x00000610 0x00ffffff00ffffff # "SMSR_PKG_POWER_LIMIT"
0x00000611 0x0000000000000000 # "SMSR_PKG_ENERGY_STATUS"
"""


@pytest.mark.parametrize(
    'comment, name, kind',
    [
        (' "SMSR_PMC0"', 'SMSR_PMC0', 'configuration'),
        (" 'IA32_PMC0' (counter)", 'IA32_PMC0', 'counter'),
        (' `MSR_POWER_CTL`', 'MSR_POWER_CTL', 'configuration'),
        (' IA32_PERF_CTL (governed)', 'IA32_PERF_CTL', 'governed'),
        (' IA32_PERF_CTL, of the core', 'IA32_PERF_CTL', 'configuration'),
        (' IA32_PMC0: first counter', 'IA32_PMC0', 'configuration'),
        (' HWCR', 'HWCR', 'configuration'),
        (' APERF (counter)', 'APERF', 'counter'),
        (' READ ONLY, see the wiki', '', 'configuration'),
        (' CPU frequency', '', 'configuration'),
        (' TODO ask Anna', '', 'configuration'),
        (' "PMC0', 'PMC0', 'configuration'),
        (' ""SMSR_PMC0""', 'SMSR_PMC0', 'configuration'),
        (' \u201cSMSR_PMC0\u201d', 'SMSR_PMC0', 'configuration'),
        (' (SMSR_PMC0) (counter)', 'SMSR_PMC0', 'counter'),
        (' [MSR_POWER_CTL]', 'MSR_POWER_CTL', 'configuration'),
        (' <MSR_POWER_CTL>', 'MSR_POWER_CTL', 'configuration'),
        (' // MSR_POWER_CTL', 'MSR_POWER_CTL', 'configuration'),
        (' /* MSR_POWER_CTL */', 'MSR_POWER_CTL', 'configuration'),
        ('## MSR_POWER_CTL.', 'MSR_POWER_CTL', 'configuration'),
        (' smsr_pmc0', 'SMSR_PMC0', 'configuration'),
        (' MSR_Pkg_Power_Limit', 'MSR_PKG_POWER_LIMIT', 'configuration'),
        (' IA32_PMC0(Counter)', 'IA32_PMC0', 'counter'),
        (' IA32_PMC0/1', '', 'configuration'),
        (' what it is', '', 'configuration'),
    ],
)
def test_names_are_read_and_prose_is_not(comment, name, kind):
    assert parse_comment(comment) == (name, kind)


@pytest.mark.parametrize('cpu', [IVY_BRIDGE, UNKNOWN])
def test_names_in_quotes_tell_counters_on_any_cpu(cpu):
    entries = registers_of(cpu).complete(parse_list(QUOTED, 'wl_063a'))
    assert [entry.kind for entry in entries] == ['counter', 'status', 'configuration', 'counter']


def test_a_known_register_gets_the_manuals_name():
    entries = registers_of(IVY_BRIDGE).complete(parse_list(QUOTED, 'wl_063a'))
    assert [entry.name for entry in entries][::2] == ['IA32_PMC0', 'MSR_PKG_POWER_LIMIT']


@pytest.mark.parametrize('name', ['PKG_POWER_LIMIT', 'MSR_PKG_POWER_LIMIT', 'smsr_pkg_power_limit'])
def test_an_override_closes_what_a_quoted_name_means(name):
    overrides = [{'register': name, 'write_mask': '0'}]
    entries, unknown = apply_overrides(parse_list(QUOTED, 'wl_063a'), overrides)
    assert unknown == []
    assert {entry.address: entry.mask for entry in entries}[0x610] == 0


NAMELESS = '0x610 0x00ffffff00ffffff\n0x611 0\n'


@pytest.mark.parametrize('what', [{'state': 'absent'}, {'write_mask': '0'}, {'write_mask': '0x7FFF'}])
def test_an_override_that_closes_is_never_passed_over(what):
    overrides = [dict(what, register='PKG_POWER_LIMIT')]
    with pytest.raises(MsrSafeError, match=r'override 1: .* PKG_POWER_LIMIT, but 0x00000610, .* is on the list'):
        apply_overrides(parse_list(NAMELESS, 'x'), overrides, (), addresses_of_names())


@pytest.mark.parametrize('what', [{'write_mask': '0x00ffffff00ffffff'}, {'comment': 'as it is'}])
def test_one_that_closes_nothing_serves_a_mixed_fleet(what):
    overrides = [dict(what, register='PKG_POWER_LIMIT'), {'register': 'HWCR', 'state': 'absent'}]
    _entries, unknown = apply_overrides(parse_list(NAMELESS, 'x'), overrides, (), addresses_of_names())
    assert unknown == ['PKG_POWER_LIMIT', 'HWCR']


@pytest.mark.parametrize(
    'name, remedy',
    [
        ('PKG_POWER_LIMT', 'Did you mean PKG_POWER_LIMIT'),
        ('"PKG_POWER_LIMIT"', 'Did you mean PKG_POWER_LIMIT'),
        ('PKG_POWER_LIMIT ', 'Did you mean PKG_POWER_LIMIT'),
        ('PERFEVTSEL*', 'Did you mean PERFEVTSEL'),
        ('0x610', 'Write address: 0x610'),
        ('XYZZY', 'Give its address'),
    ],
)
def test_a_name_that_no_cpu_has_is_no_override(name, remedy):
    table = registers_of(SKYLAKE).by_address.values()
    overrides = [{'register': 'HWCR', 'state': 'absent'}, {'register': name, 'write_mask': '0'}]
    with pytest.raises(MsrSafeError) as caught:
        apply_overrides(parse_list(QUOTED, 'x'), overrides, table, addresses_of_names())
    assert 'override 2: no CPU is known to have a register %s.' % name in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize('change', [{'state': 'absent'}, {'write_mask': '0'}])
def test_an_override_that_names_one_register_and_has_the_address_of_another_is_refused(change):
    registers = registers_of(SKYLAKE)
    entries = registers.complete(parse_list('0xC7 0xFF\n0x199 0xFFFF\n', 'x'))
    overrides = [dict(change, register='PERF_CTL', address='199')]  # decimal: IA32_PMC6
    with pytest.raises(MsrSafeError, match='override 1: the register PERF_CTL is at 0x00000199') as caught:
        apply_overrides(entries, overrides, registers.by_address.values(), addresses_of_names())
    assert 'A number without 0x is decimal' in str(caught.value)
    for address in ('0x199', 0x199):
        overrides = [dict(change, register='PERF_CTL', address=address)]
        changed, _unknown = apply_overrides(entries, overrides, registers.by_address.values(), addresses_of_names())
        assert [entry.mask for entry in changed if entry.address == 0x199] in ([], [0])


def test_an_override_may_give_a_name_of_its_own_to_an_address():
    registers = registers_of(SKYLAKE)
    overrides = [{'address': '0x7777', 'register': 'OUR_OWN', 'write_mask': '0'}]
    (entry,), _unknown = apply_overrides([], overrides, registers.by_address.values(), addresses_of_names())
    assert (entry.address, entry.name) == (0x7777, 'OUR_OWN')


def test_addresses_that_are_taken_off_a_list_which_has_them_not_are_known():
    entries = parse_list('0x199 0xFFFF\n', 'x')
    absent = [{'address': address, 'state': 'absent'} for address in ('0x199', '0x1990', 7)]
    assert closing_nothing(entries, absent) == ['0x00000007', '0x00001990']
    assert closing_nothing(entries, [*absent, {'address': '0x1990', 'write_mask': '0'}]) == ['0x00000007']
    assert closing_nothing(entries, [{'register': 'HWCR', 'state': 'absent'}]) == []


def test_a_decimal_address_is_held_against_its_name():
    registers = registers_of(SKYLAKE)
    entries = registers.complete(parse_list('199 65535 # IA32_PERF_CTL\n0x1A0 0x4000000000 # IA32_MISC_ENABLE\n', 'x'))
    (finding,) = lint(entries, registers=registers)
    assert (finding.level, finding.address) == (WARN, 199)
    assert 'the name belongs to 0x199, the address is that of IA32_PMC6' in finding.message


def test_on_a_cpu_that_the_table_lacks_a_name_is_held_against_its_address_elsewhere():
    registers = registers_of(UNKNOWN)
    text = '199 65535 # IA32_PERF_CTL\n0x1A0 0 # "SMSR_MISC_ENABLE"\n0x19C 0 # PERF_STATUS\n0x7 0 # OUR_OWN\n'
    findings = lint(registers.complete(parse_list(text, 'x')), registers=registers)
    assert [(finding.level, finding.address) for finding in findings] == [(WARN, 199), (WARN, 0x19C)]
    assert 'the name belongs to 0x199 on other CPUs. A number without 0x is decimal' in findings[0].message


ODD = [
    'al_655',
    'al_6_85',
    'al_06-55',
    'wl_6_85',
    'al_0655.txt',
    'AL-0655',
    'al_0655_old',
    'al0655',
    'al.0655',
    'al 0655',
]
ODD += ['al_06155', '0655', '06_8F', '19_1', 'whitelist_0655', 'allowlist-0655', 'msr_approved_list', 'al_0655\n']


@pytest.mark.parametrize('name', ODD)
def test_what_looks_like_a_list_and_names_no_cpu_is_reported(tmp_path, name):
    site, shipped = tmp_path / 'site', tmp_path / 'shipped'
    for path in (site / name, site / 'README.md', site / 'al_0655~', shipped / 'al_0655'):
        path.parent.mkdir(exist_ok=True)
        path.write_text('0x10 0\n')
    selected = select_list(SKYLAKE, [str(site), str(shipped)])
    assert selected.path == str(shipped / 'al_0655')
    assert selected.odd == [str(site / name)]


@pytest.mark.parametrize(
    'name', ['al_0655', 'al_06_55', 'wl_068F', 'al_19_01', 'al_1a11', 'al_131', 'README', 'all', 'algorithms.md']
)
def test_other_names_are_not(name):
    assert not is_odd(name)


def test_nothing_found_names_them_too(tmp_path):
    (tmp_path / 'al_655').write_text('0x10 0\n')
    with pytest.raises(MsrSafeError, match=r'their names mean no CPU: .*al_655'):
        select_list(SKYLAKE, [str(tmp_path)])


def test_all_problems_of_a_file_are_named():
    with pytest.raises(MsrSafeError) as caught:
        parse_list('0x10\n0x11 1\nnothing 0\n0x11 2\n', 'list')
    said = str(caught.value)
    assert [number for number in (1, 2, 3, 4) if 'list:%d: ' % number in said] == [1, 3, 4]


@pytest.mark.parametrize('name', ['al_0655', 'al_0655.txt', 'al_06_55_old', 'wl_0655-2'])
def test_a_copy_is_for_the_same_cpu(name):
    assert cpu_meant_by(name) == {'family': 6, 'model': 0x55}


@pytest.mark.parametrize('name', ['al_6_85', 'al_06-55', 'al_655.txt', 'README', 'list'])
def test_other_names_mean_none(name):
    assert cpu_meant_by(name) is None
