# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tests of the lint: every row of its table, both ways."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import Entry
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.lint import (
    REFUSE,
    WARN,
    lint,
    refused,
    require_safe,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError

ALL = (1 << 64) - 1


def entry(address, mask=0, kind='configuration', name='IA32_EXAMPLE'):
    return Entry(address, mask, name, kind, 7)


def levels(*arguments, **options):
    return [finding.level for finding in lint(*arguments, **options)]


# Registers that must not even be read: first, last, a word of the reason.
NOT_TO_BE_LISTED = [
    (0xC0000080, 0xC0000084, 'ring 0'),
    (0xC0000100, 0xC0000102, 'ring 0'),
    (0x174, 0x176, 'SYSENTER'),
    (0x800, 0x8FF, 'x2APIC'),
    (0x680, 0x6DF, 'KASLR'),
    (0x1C8, 0x1C9, 'KASLR'),
    (0xDC0, 0xDDF, 'KASLR'),
    (0x1DB, 0x1DE, 'KASLR'),
    (0xC0011031, 0xC001103B, 'KASLR'),
    (0xC0010300, 0xC001030F, 'KASLR'),
]

# Registers that may be read, and of which no bit may be written.
NOT_TO_BE_WRITTEN = [
    (0xC0000103, 0xC0000103, 'TSC_AUX'),
    (0x600, 0x600, 'DS area'),
    (0x3F1, 0x3F1, 'PEBS'),
    (0x560, 0x571, 'Processor Trace'),
    (0x580, 0x587, 'Processor Trace'),
    (0x1B, 0x1B, 'APIC base'),
    (0x79, 0x7A, 'microcode'),
    (0xC0010020, 0xC0010020, 'microcode'),
    (0x9B, 0x9B, 'SMM'),
    (0x9E, 0x9E, 'SMM'),
    (0x1F2, 0x1F3, 'SMRR'),
    (0xC0010111, 0xC0010117, 'SVM'),
    (0x200, 0x27F, 'memory types'),
    (0x2A0, 0x2FF, 'memory types'),
    (0xC0010010, 0xC0010010, 'memory types'),
    (0xC0010016, 0xC001001D, 'memory types'),
    (0xC0010058, 0xC0010058, 'configuration space'),
    (0x48, 0x49, 'speculation'),
    (0x10A, 0x10B, 'speculation'),
    (0x122, 0x123, 'speculation'),
    (0xC0011020, 0xC001102C, 'speculation'),
    (0x150, 0x150, 'CVE-2019-11157'),
    (0x10, 0x10, 'clocks'),
    (0x3B, 0x3B, 'clocks'),
    (0xE7, 0xE8, 'clocks'),
    (0x6E0, 0x6E0, 'TSC deadline'),
    (0x1C4, 0x1C5, 'XFD'),
    (0x6A0, 0x6A8, 'CET'),
    (0xDA0, 0xDA0, 'XSS'),
    (0x981, 0x983, 'TME'),
    (0x8C, 0x8F, 'SGX'),
    (0x480, 0x493, 'VMX'),
    (0xC0010130, 0xC0010132, 'SEV'),
    (0x179, 0x17B, 'machine check'),
    (0x280, 0x29F, 'machine check'),
    (0x400, 0x47F, 'machine check'),
    (0xC0002000, 0xC0002FFF, 'machine check'),
    (0x3A, 0x3A, 'until the next reset'),
]

# Bits that must not be in a write mask: address, lowest, highest, a word of the reason.
NOT_THESE_BITS = [
    (0x1D9, 6, 11, 'BTS'),
    (0xE2, 15, 15, 'until the next reset'),
    (0x610, 63, 63, 'until the next reset'),
    (0x618, 31, 31, 'until the next reset'),
    (0x65C, 63, 63, 'until the next reset'),
    (0x194, 20, 20, 'until the next reset'),
    (0x1A0, 34, 34, 'NX'),
    (0x1A0, 22, 22, 'CPUID'),
    (0x1A0, 18, 18, 'MONITOR'),
]

# 6A0-6A8 lie within 680-6DF: the branch records of one CPU, the CET of another.
REFUSED_BOTH_WAYS = {address for first, last, dummy in NOT_TO_BE_LISTED for address in range(first, last + 1)}


def ends(table):
    """Return the first and last register of each row, with the row's reason."""
    return [(address, reason) for first, last, reason in table for address in sorted({first, last})]


@pytest.mark.parametrize('mask', [0, 1 << 40])
@pytest.mark.parametrize('address, reason', ends(NOT_TO_BE_LISTED))
def test_register_must_not_be_listed(address, reason, mask):
    findings = lint([entry(address, mask)])
    assert any(finding.level == REFUSE and reason in finding.message for finding in findings)
    assert 'Take the register off the list' in findings[0].message


@pytest.mark.parametrize('address, reason', ends(NOT_TO_BE_WRITTEN))
def test_register_must_not_be_written(address, reason):
    findings = refused(lint([entry(address, 1 << 40)]))
    assert any(reason in finding.message for finding in findings)


@pytest.mark.parametrize('address, reason', ends(NOT_TO_BE_WRITTEN))
def test_register_may_be_read(address, reason):
    assert address in REFUSED_BOTH_WAYS or not lint([entry(address)])


@pytest.mark.parametrize('address, low, high, reason', NOT_THESE_BITS)
def test_bits_must_not_be_written(address, low, high, reason):
    for bit in range(low, high + 1):
        findings = refused(lint([entry(address, 1 << bit)]))
        assert [reason in finding.message for finding in findings] == [True]


@pytest.mark.parametrize('address, low, high, reason', NOT_THESE_BITS)
def test_neighbouring_bits_may_be_written(address, low, high, reason):
    for bit in {low - 1, high + 1} - {64}:
        assert not refused(lint([entry(address, 1 << bit)]))


def neighbours(table):
    """Return the registers just outside the rows of a table."""
    listed = {address for first, last, dummy in table for address in range(first, last + 1)}
    around = {address for first, last, dummy in table for address in (first - 1, last + 1)}
    return sorted(around - listed)


@pytest.mark.parametrize('address', neighbours(NOT_TO_BE_LISTED + NOT_TO_BE_WRITTEN))
def test_neighbouring_registers_are_not_refused(address):
    partly = {row[0] for row in NOT_THESE_BITS}
    assert address in partly or not refused(lint([entry(address, ALL)]))


EVENT_SELECTS = [0x186, 0x18D, 0xC0010000, 0xC0010003, 0xC0010200, 0xC0010202, 0xC001020A]


@pytest.mark.parametrize('address', EVENT_SELECTS)
@pytest.mark.parametrize('bit, reason', [(20, 'nobody handles'), (17, 'kernel')])
def test_event_select_bits_are_warned_of(address, bit, reason):
    findings = lint([entry(address, 1 << bit)])
    assert [(finding.level, reason in finding.message) for finding in findings] == [(WARN, True)]


@pytest.mark.parametrize('address', [0xC0010004, 0xC0010201, 0xC001020B])
def test_counter_beside_event_select_is_not_warned_of(address):
    assert not lint([entry(address, ALL, 'counter')])


@pytest.mark.parametrize('counter', range(4))
@pytest.mark.parametrize('bit, reason', [(3, 'nobody handles'), (0, 'kernel')])
def test_fixed_counter_bits_are_warned_of(counter, bit, reason):
    findings = lint([entry(0x38D, 1 << 4 * counter + bit)])
    assert [(finding.level, reason in finding.message) for finding in findings] == [(WARN, True)]
    assert not lint([entry(0x38D, 1 << 4 * counter + 1)])


@pytest.mark.parametrize('address', [0x611, 0x619, 0x639, 0x641, 0x64D, 0xC001029A, 0xC001029B])
def test_energy_is_a_side_channel_for_others(address):
    energy = [entry(address, kind='counter')]
    assert levels(energy, tier='monitor') == [WARN]
    assert levels(energy, tier='perf', shared=True) == [WARN]
    assert levels(energy, tier='power') == []
    assert 'PLATYPUS' in lint(energy, tier='monitor')[0].message


@pytest.mark.parametrize('address', [0x4E, 0x4F, 0xC00102F0, 0xC00102F1])
def test_serial_number_is_warned_of(address):
    assert levels([entry(address)]) == [WARN]


def test_reserved_bits_are_warned_of():
    swapped = lint([entry(0x19A, 0x1F00000000)])
    assert [finding.level for finding in swapped] == [WARN]
    assert 'reserves (0x0000001F00000000)' in swapped[0].message
    assert levels([entry(0x19A, 0x1F)]) == []


def test_writable_status_is_warned_of():
    assert levels([entry(0x198, 0xFF, 'status')]) == [WARN]
    assert levels([entry(0x198, 0, 'status')]) == []


@pytest.mark.parametrize('address', [0x19C, 0x1B1, 0x390, 0xE07])
def test_status_that_writing_clears_may_be_writable(address):
    assert levels([entry(address, 0xA, 'status')]) == []


def test_allowing_takes_the_address():
    pebs = entry(0x3F1, 0xF)
    assert levels([pebs]) == [REFUSE]
    assert levels([pebs], allow_unsafe={0x600}) == [REFUSE]
    allowed = lint([pebs], allow_unsafe={0x3F1})
    assert [finding.level for finding in allowed] == [WARN]
    assert 'Allowed by msr_safe_allow_unsafe.' in allowed[0].message


def test_message_names_register_failure_and_remedy():
    finding = lint([entry(0x610, 0x80FFFFFF00FFFFFF, name='MSR_PKG_POWER_LIMIT')])[0]
    assert (finding.level, finding.address, finding.line) == (REFUSE, 0x610, 7)
    assert finding.message == (
        '0x00000610 MSR_PKG_POWER_LIMIT (write mask 0x80FFFFFF00FFFFFF): '
        'locks the package power limit until the next reset. '
        'Set its write mask to 0x00FFFFFF00FFFFFF, or name 0x610 in msr_safe_allow_unsafe (msr-safe: --allow-unsafe).'
    )


def test_register_without_a_name_is_named_by_address():
    assert lint([Entry(0x79, 1, '', 'configuration', None)])[0].message.startswith('0x00000079 (write mask')


def test_findings_are_in_the_order_of_the_list():
    findings = lint([entry(0xC0000082), entry(0x79, 1), entry(0x1A0, 1 << 38), entry(0x10)])
    assert [finding.address for finding in findings] == [0xC0000082, 0x79]


def test_require_safe_raises_with_the_lines_of_all_that_is_refused():
    entries = [entry(0x79, 1), entry(0x4E), Entry(0xC0000082, 0, 'IA32_LSTAR', 'configuration', None)]
    with pytest.raises(MsrSafeError) as error:
        require_safe(entries, 'al_0655')
    head, microcode, lstar = str(error.value).splitlines()
    assert head == 'al_0655 would hand out the machine:'
    assert microcode.startswith('al_0655:7: 0x00000079 IA32_EXAMPLE')
    assert lstar.startswith('al_0655: 0xC0000082 IA32_LSTAR')


def test_require_safe_returns_warnings():
    warnings = require_safe([entry(0x4E), entry(0x79, 1)], 'al_0655', allow_unsafe=[0x79])
    assert [warning.partition(' ')[0] for warning in warnings] == ['al_0655:7:', 'al_0655:7:']
    assert require_safe([entry(0x10)], 'al_0655') == []
