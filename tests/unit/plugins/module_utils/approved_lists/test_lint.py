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
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of

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
    (0xC0010300, 0xC001031F, 'KASLR'),
    (0x1CC, 0x1D4, 'FRED'),
    (0x14CE, 0x14CF, 'KASLR'),
    (0x1200, 0x121F, 'KASLR'),
    (0x1500, 0x151F, 'KASLR'),
    (0x1600, 0x161F, 'KASLR'),
    (0xC001103D, 0xC001103D, 'KASLR'),
    (0xC000010E, 0xC000010F, 'KASLR'),
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
    (0x1F2, 0x1F5, 'SMRR'),
    (0x1FB, 0x1FB, 'SMM'),
    (0x4E0, 0x4E0, 'SMM'),
    (0xC0010050, 0xC0010056, 'SMM'),
    (0xC0010111, 0xC0010118, 'SVM'),
    (0x17D0, 0x17D1, 'physical memory'),
    (0xEE, 0xEF, 'physical memory'),
    (0x3F4, 0x3F5, 'DS area'),
    (0x33, 0x33, 'interrupts that nobody expects'),
    (0x80, 0x80, 'interrupts that nobody expects'),
    (0x105, 0x105, 'interrupts that nobody expects'),
    (0x1F1, 0x1F1, 'interrupts that nobody expects'),
    (0x773, 0x773, 'interrupts that nobody expects'),
    (0xC0000104, 0xC0000104, 'interrupts that nobody expects'),
    (0xC0000410, 0xC0000410, 'interrupts that nobody expects'),
    (0xC0010074, 0xC0010074, 'interrupts that nobody expects'),
    (0xC001011B, 0xC001011B, 'interrupts that nobody expects'),
    (0xC0011002, 0xC0011005, 'interrupts that nobody expects'),
    (0xC0011030, 0xC0011030, 'interrupts that nobody expects'),
    (0x200, 0x27F, 'memory types'),
    (0x2A0, 0x2FF, 'memory types'),
    (0xC0010010, 0xC0010010, 'memory types'),
    (0xC0010016, 0xC001001D, 'memory types'),
    (0xC0010058, 0xC0010058, 'configuration space'),
    (0x48, 0x49, 'speculation'),
    (0x10A, 0x10B, 'speculation'),
    (0x122, 0x123, 'speculation'),
    (0xC0011020, 0xC001102C, 'speculation'),
    (0xC001102E, 0xC001102E, 'speculation'),
    (0xC00110E3, 0xC00110E3, 'speculation'),
    (0xC001011F, 0xC001011F, 'speculation'),
    (0x10F, 0x10F, 'speculation'),
    (0x540, 0x540, 'speculation'),
    (0x1B01, 0x1B01, 'speculation'),
    (0x150, 0x150, 'CVE-2019-11157'),
    (0xC0010041, 0xC0010041, 'voltage'),
    (0xC0010064, 0xC001006B, 'voltage'),
    (0x1A2, 0x1A2, 'temperature'),
    (0x10, 0x10, 'clocks'),
    (0x3B, 0x3B, 'clocks'),
    (0xE7, 0xE8, 'clocks'),
    (0x6E0, 0x6E0, 'TSC deadline'),
    (0x1C4, 0x1C5, 'XFD'),
    (0x6A0, 0x6A8, 'CET'),
    (0xDA0, 0xDA0, 'XSS'),
    (0x981, 0x98A, 'TME'),
    (0x6E1, 0x6E1, 'XSS'),
    (0xD91, 0xD93, 'XSS'),
    (0x8C, 0x8F, 'SGX'),
    (0x480, 0x493, 'VMX'),
    (0xC0010130, 0xC0010132, 'SEV'),
    (0x179, 0x17B, 'machine check'),
    (0x280, 0x29F, 'machine check'),
    (0x400, 0x47F, 'machine check'),
    (0xC0002000, 0xC0002FFF, 'machine check'),
    (0x3A, 0x3A, 'until the next reset'),
    (0x13C, 0x13C, 'until the next reset'),
    (0x1406, 0x1406, 'until the next reset'),
    (0xC80, 0xC80, 'until the next reset'),
    (0x770, 0x770, 'until the next reset'),
    (0xC00102B1, 0xC00102B1, 'until the next reset'),
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
    (0x1A0, 3, 3, 'thermal control'),
    (0x1A0, 20, 20, 'SpeedStep'),
    (0x1FC, 0, 0, 'PROCHOT'),
    (0x618, 63, 63, 'until the next reset'),
    (0x638, 31, 31, 'until the next reset'),
    (0x640, 31, 31, 'until the next reset'),
    (0x64B, 31, 31, 'until the next reset'),
    (0x64C, 31, 31, 'until the next reset'),
    (0x601, 31, 31, 'until the next reset'),
    (0xC0010015, 0, 24, 'HWCR'),
    (0xC0010015, 26, 29, 'HWCR'),
    (0xC0010015, 31, 63, 'HWCR'),
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
    for bit in {low - 1, high + 1} - {-1, 64}:
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
EVENT_SELECTS += [0x1901, 0x1905, 0x1983, 0x1987, 0x700, 0x703, 0xC0010230, 0xC0010240, 0xC001025E, 0xC0010800]


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


@pytest.mark.parametrize('address', [0x390, 0xE07])
def test_status_that_writing_clears_may_be_writable(address):
    assert levels([entry(address, 0xA, 'status')]) == []


# What tier power keeps as the seed lists had it, with what it costs.
KEPT = [(0x1AD, 'raise'), (0x1AE, 'raise'), (0x19B, 'silence'), (0x1B2, 'silence'), (0x19C, 'erase'), (0x1B1, 'erase')]


@pytest.mark.parametrize('address, reason', KEPT)
def test_what_tier_power_keeps_is_warned_of(address, reason):
    kept = [entry(address, 0x2, 'status' if reason == 'erase' else 'configuration')]
    assert [(finding.level, reason in finding.message) for finding in lint(kept)] == [(WARN, True)]
    assert require_safe(kept, 'al_0655') == []
    assert len(require_safe(kept, 'al_0655', shared=True)) == 1
    assert lint([entry(address)]) == []


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


# A lint that knows the CPU


def registers(name):
    """Return the registers of the CPU of a list's name."""
    return registers_of({'family': int(name[3:5], 16), 'model': int(name[5:], 16)})


def of_cpu(name, address, mask=0, kind='configuration', register='', **options):
    """Return the findings about one register on a CPU."""
    return lint([Entry(address, mask, register, kind, 7)], registers=registers(name), **options)


def test_what_a_cpu_does_not_have_is_warned_of_when_readable_and_refused_when_writable():
    (readable,) = of_cpu('al_0655', 0x12345)
    assert (readable.level, 'our table of this CPU does not have it' in readable.message) == (WARN, True)
    (writable,) = of_cpu('al_0655', 0x12345, 1)
    assert (writable.level, 'our table of this CPU does not have it' in writable.message) == (REFUSE, True)
    assert [finding.level for finding in of_cpu('al_0655', 0x12345, 1, allow_unsafe={0x12345})] == [WARN]
    assert lint([entry(0x12345, 1)]) == []


def test_bits_beyond_the_table_are_refused_unless_allowed():
    (finding,) = of_cpu('al_0655', 0x620, 0xFFFF)
    assert (finding.level, '0x0000000000008080' in finding.message) == (REFUSE, True)
    assert 'Set its write mask to 0x0000000000007F7F' in finding.message
    assert [finding.level for finding in of_cpu('al_0655', 0x620, 0xFFFF, allow_unsafe={0x620})] == [WARN]
    assert of_cpu('al_0655', 0x620, 0x7F7F) == []


def test_a_site_may_open_what_the_manual_defines():
    for address, mask in ((0x1A0, 1 << 38), (0x199, 1 << 32 | 0xFFFF), (0xE2, 0x7)):
        assert of_cpu('al_0655', address, mask) == [], hex(address)
    assert {finding.level for finding in of_cpu('al_0655', 0x186, 0xFFFFFFFF)} == {WARN}
    assert {finding.level for finding in of_cpu('al_062a', 0xC1, ALL)} == set()


@pytest.mark.parametrize(
    'name, address, mask',
    [
        ('al_063f', 0x690, 0),
        ('al_063c', 0x6B0, 0),
        ('al_063c', 0x6B1, 0),
        ('al_063e', 0xDC4, 0xFFFFFFFF),
        ('al_063e', 0xDDA, 0xFFFFFFFF),
        ('al_06af', 0x1A6, 0x800FF3FFFFFFFFFF),
        ('al_06af', 0x1A7, 0x000FF3FFFFFFFFFF),
        ('al_191', 0xC0010015, 0x42000000),
    ],
)
def test_what_the_cpu_documents_is_no_danger(name, address, mask):
    assert of_cpu(name, address, mask) == []


@pytest.mark.parametrize('name, address', [('al_0655', 0x690), ('al_0655', 0xDC4), ('al_068f', 0x6B0)])
def test_on_another_cpu_the_same_address_is_one(name, address):
    assert [finding.level for finding in of_cpu(name, address)] == [REFUSE]


def test_a_danger_is_said_once():
    (finding,) = of_cpu('al_0655', 0xC0000082, 1)
    assert (finding.level, 'ring 0' in finding.message) == (REFUSE, True)
    (finding,) = of_cpu('al_0655', 0x610, 0x80FFFFFF00FFFFFF)
    assert (finding.level, 'locks' in finding.message) == (REFUSE, True)


def test_a_name_is_held_against_its_address():
    (finding,) = of_cpu('al_0655', 199, 65535, 'counter', 'IA32_PERF_CTL')
    assert finding.level == WARN
    assert 'the name belongs to 0x199, the address is that of IA32_PMC6 (0xC7)' in finding.message
    assert of_cpu('al_0655', 0x199, 0xFFFF, register='SMSR_PERF_CTL') == []
    assert of_cpu('al_0655', 0x199, 0xFFFF, register='FREQUENCY_OF_OURS') == []


def test_shared_nodes_are_told_what_others_see_and_feel():
    said = {
        address: [finding.message for finding in of_cpu('al_0655', address, mask, shared=True)]
        for address, mask in (
            (0x610, 0x00FFFFFF00FFFFFF),
            (0xE01, 0),
            (0xE08, 0),
            (0xC1, 0),
            (0x1A4, 0xF),
            (0x611, 0),
            (0x606, 0),
        )
    }
    assert 'all CPUs of the die' in said[0x610][0]
    assert 'all CPUs of the core' in said[0x1A4][0]
    assert 'PLATYPUS' in said[0x611][0]
    for address in (0xE01, 0xE08, 0xC1):
        assert 'another job on the node is seen in it' in said[address][0]
    assert said[0x606] == []
    assert [len(messages) for messages in said.values()] == [1, 1, 1, 1, 1, 1, 0]


def test_level_of_tier_shared_is_that_of_shared_nodes():
    assert of_cpu('al_0655', 0xE08, tier='shared') == of_cpu('al_0655', 0xE08, shared=True)


def test_what_many_registers_share_is_said_once_where_a_list_is_activated():
    entries = [Entry(0x12340 + number, 0, '', 'configuration', number) for number in range(9)]
    entries += [Entry(0xE01, 0xFFCEFFFF, '', 'configuration', 10), Entry(0xE08, 0, '', 'configuration', 11)]
    skylake = registers('al_0655')
    assert require_safe(entries, 'mine', shared=True, registers=skylake) == [
        'mine: 0x12340, 0x12341, 0x12342, 0x12343, 0x12344 and 4 more: our table of this CPU does not have them. '
        'All of them: msr-safe lint.',
        'mine: 0xE01: another job on the node feels what is written to them. '
        'Take tier shared for nodes that several jobs share. All of them: msr-safe lint.',
        'mine: 0xE08: another job on the node is seen in them. '
        'Take tier shared for nodes that several jobs share. All of them: msr-safe lint.',
    ]
    assert len(lint(entries, shared=True, registers=skylake)) == 11


# A masked write is a read and a write on one CPU


@pytest.mark.parametrize(
    'name, address, mask, shared_by, left_out',
    [
        ('al_0655', 0x610, 0x0000000000FFFFFF, 'die', 'PL2_POWER_LIMIT, PL2_LIMIT_ENABLE'),
        ('al_0655', 0x620, 0x000000000000007F, 'die', 'MIN_RATIO'),
        ('al_0655', 0x65C, 0x0000000000FFFFFF, 'board', 'PL2_POWER_LIMIT'),
        ('al_0655', 0x1A4, 0x1, 'core', 'L2_ADJACENT_PREFETCHER_DISABLE, DCU_HW_PREFETCHER_DISABLE'),
        ('al_0655', 0x199, 1 << 32, 'core', '7:0, FREQ'),
        ('al_191', 0xC0000108, 0x7, 'core', 'L2_STREAM_DISABLE, UP_DOWN_DISABLE'),
    ],
)
def test_a_mask_that_leaves_out_bits_of_a_shared_register_is_warned_of(name, address, mask, shared_by, left_out):
    (finding,) = of_cpu(name, address, mask)
    assert finding.level == WARN
    assert 'all CPUs of the %s share it' % shared_by in finding.message
    assert 'leaves out (%s' % left_out in finding.message
    assert 'can be lost' in finding.message
    assert 'through one CPU' in finding.message


def test_the_remedy_is_the_whole_mask_or_none():
    (finding,) = of_cpu('al_0655', 0x610, 0x0000000000FFFFFF)
    assert 'Set its write mask to 0x00FFFFFF00FFFFFF, or to 0' in finding.message
    for mask in (0x00FFFFFF00FFFFFF, 0):
        assert of_cpu('al_0655', 0x610, mask) == []


def test_a_register_of_one_cpu_alone_is_not_shared():
    assert of_cpu('al_0655', 0x774, 0xFF) == []
    assert of_cpu('al_0655', 0x186, 0xFF) == []


def test_bits_that_only_a_site_opens_are_none_that_a_mask_must_have():
    assert of_cpu('al_0655', 0x199, 0xFFFF) == []
    assert of_cpu('al_0655', 0x199, 0x10000FFFF) == []
    assert of_cpu('al_0655', 0xE2, 0x7) == []


@pytest.mark.parametrize('name, address, mask', [('al_0655', 0xE07, 0x1), ('al_0657', 0xE07, 0xFFFF)])
def test_a_mask_with_some_of_the_bits_that_writing_1_clears_is_warned_of(name, address, mask):
    (finding,) = of_cpu(name, address, mask, 'status')
    assert finding.level == WARN
    assert 'writing 1 clears' in finding.message
    assert 'Set its write mask to 0x00000000FFFFFFFF, or to 0' in finding.message
    assert of_cpu(name, address, 0xFFFFFFFF, 'status') == []


def test_a_mask_with_some_of_the_logs_that_writing_0_clears_is_warned_of():
    findings = of_cpu('al_0655', 0x1B1, 0x2, 'status', kept=False)
    assert [(finding.level, 'writing 0 clears' in finding.message) for finding in findings] == [(WARN, True)]
    assert of_cpu('al_0655', 0x1B1, 0xAAA, 'status', kept=False) == []


@pytest.mark.parametrize('name, address', [('al_0655', 0x390), ('al_1911', 0xC0000302)])
def test_what_reads_as_zero_is_not_cleared_by_writing_it_back(name, address):
    assert of_cpu(name, address, 0x1, 'status') == []


def test_partial_masks_of_shared_registers_are_one_line_where_a_list_is_activated():
    entries = [Entry(address, 0xFF, '', 'configuration', address) for address in (0x610, 0x618)]
    entries.append(Entry(0xE07, 1, '', 'status', 3))
    assert require_safe(entries, 'mine', registers=registers('al_0655')) == [
        'mine: 0x610, 0x618: CPUs share them, and their masks leave out bits: what others write to these at the same '
        'moment through another CPU can be lost. All of them: msr-safe lint.',
        'mine: 0xE07: writing to some of their bits also clears those that the masks leave out. '
        'All of them: msr-safe lint.',
    ]
