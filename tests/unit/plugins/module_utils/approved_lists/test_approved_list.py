# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import random

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import (
    KINDS,
    Entry,
    apply_overrides,
    digest_list,
    parse_list,
    render_list,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.numbers import MAX_ADDRESS, MAX_MASK


def refusal(text):
    """Return what is said about a list that is refused."""
    with pytest.raises(MsrSafeError) as caught:
        parse_list(text, 'al_0655')
    return str(caught.value)


def pairs(text):
    return [(entry.address, entry.mask) for entry in parse_list(text, 'al_0655')]


@pytest.mark.parametrize(
    'line, pair',
    [
        ('0x1A0 0x4000000000', (0x1A0, 0x4000000000)),
        ('0X1a0 0XfF', (0x1A0, 0xFF)),
        ('416 15', (416, 15)),
        ('0640 017', (0o640, 0o17)),
        ('00 0', (0, 0)),
        ('0 00', (0, 0)),
        ('\t 0x10   \t0x0 \r', (0x10, 0)),
        ('0x10 0x0#', (0x10, 0)),
        ('0xFFFFFFFF 0xFFFFFFFFFFFFFFFF', (MAX_ADDRESS, MAX_MASK)),
        ('0xC0010015 18446744073709551615', (0xC0010015, MAX_MASK)),
        ('0x0000000000000000000000010 0x00000000000000000000000001', (16, 1)),
        ('0000000000000000000000000000020 0', (16, 0)),
        ('020 01777777777777777777777', (16, MAX_MASK)),
    ],
)
def test_numbers_are_c_literals(line, pair):
    assert pairs(line) == [pair]


@pytest.mark.parametrize(
    'line, words',
    [
        ('0x1A0', 'there is no write mask after the address'),
        ('0x1A0 0x1 0x2', "there is '0x2' after the write mask"),
        ('0x1A0, 0x1', "'0x1A0,' is not a number"),
        ('1A0 0x1', "'1A0' is not a number"),
        ('08 0x1', "'08' is not a number"),
        ('0x 0x1', "'0x' is not a number"),
        ('-1 0x1', "'-1' is not a number"),
        ('+1 0x1', 'not a number'),
        ('0b1 0x1', 'not a number'),
        ('1_0 0x1', 'not a number'),
        ('0x1A0 0xFFull', "write mask '0xFFull' is not a number"),
        ('0x1A0 ²', 'not a number'),
        ('0x100000000 0x0', 'address 0x100000000 is wider than 32 bits'),
        ('4294967296 0', 'wider than 32 bits'),
        ('0x1A0 0x10000000000000000', 'write mask 0x10000000000000000 is wider than 64 bits'),
        ('0x1A0 18446744073709551616', 'wider than 64 bits'),
        ('0x1A0 02000000000000000000000', 'wider than 64 bits'),
        ('9' * 5000 + ' 0', 'wider than 32 bits'),
        ('0x1A0\x000 0', 'not a number'),
        ('0x1A0\xa00x1', 'not a number'),
        ('0x1A0\x1c0x1', 'not a number'),
        ('\u2003', 'not a number'),
        ('99999999999999999999z 0', 'wider than 32 bits'),
        ('0x1A0 0x10000000000000000z', 'wider than 64 bits'),
        ('0x10 zebra', 'is already on line 3'),
    ],
)
def test_errors_name_source_and_line(line, words):
    said = refusal('# heading\n\n0x10 0x0\n%s\n0x11 0x0\n' % line)
    assert said.startswith('al_0655:4: ')
    assert words in said


def test_a_duplicate_names_both_lines():
    said = refusal('0x10 0x0\n# between\n16 0x1\n')
    assert said.startswith('al_0655:3: register 0x00000010 is already on line 1.')


def test_comments_alone_are_refused():
    assert 'al_0655: the list has comments but no register' in refusal('# 0x10 0x0\n')


@pytest.mark.parametrize('text', ['', '\n', ' \n\t\n'])
def test_white_space_is_the_empty_list(text):
    assert parse_list(text, 'al_0655') == []


def test_the_last_line_needs_no_newline():
    assert pairs('0x10 0x0\n0x11 0x1') == [(0x10, 0), (0x11, 1)]


def test_entries_keep_order_and_lines():
    entries = parse_list('# one\n0x11 0x0\n\n0x10 0x0\n', 'al_0655')
    assert [(entry.address, entry.line) for entry in entries] == [(0x11, 2), (0x10, 4)]


@pytest.mark.parametrize(
    'comment, name, kind',
    [
        ('# IA32_PMC0 (counter)', 'IA32_PMC0', 'counter'),
        ('#IA32_THERM_STATUS (status) logs are cleared', 'IA32_THERM_STATUS', 'status'),
        ('# IA32_MISC_ENABLE', 'IA32_MISC_ENABLE', 'configuration'),
        ('# IA32_MISC_ENABLE turbo', 'IA32_MISC_ENABLE', 'configuration'),
        ('# IA32_MISC_ENABLE (turbo)', 'IA32_MISC_ENABLE', 'configuration'),
        ('# IA32_PMC0 (counters)', 'IA32_PMC0', 'configuration'),
        ('# the turbo bit', '', 'configuration'),
        ('# Turbo', '', 'configuration'),
        ('# "quoted"', '', 'configuration'),
        ('#', '', 'configuration'),
        ('', '', 'configuration'),
    ],
)
def test_a_comment_may_give_name_and_kind(comment, name, kind):
    (entry,) = parse_list('0x10 0x0 ' + comment, 'al_0655')
    assert (entry.name, entry.kind) == (name, kind)


def test_a_second_hash_belongs_to_the_comment():
    assert pairs('0x10 0x0 # IA32_X # 0x11 0x0') == [(0x10, 0)]


def test_renders_by_address_below_a_header():
    entries = parse_list('0x1A0 0x4000000000 # IA32_MISC_ENABLE\n0xC1 0 # IA32_PMC0 (counter)\n0x10 0\n', 'x')
    assert render_list(entries, ['Source: x', '']) == (
        '# Source: x\n'
        '#\n'
        '0x00000010 0x0000000000000000\n'
        '0x000000C1 0x0000000000000000 # IA32_PMC0 (counter)\n'
        '0x000001A0 0x0000004000000000 # IA32_MISC_ENABLE\n'
    )


@pytest.mark.parametrize('seed', range(50))
def test_reads_back_what_it_renders(seed):
    entries = random_list(random.Random(seed))
    again = parse_list(render_list(entries, ['any', 'header']), 'rendered')
    assert [entry._replace(line=None) for entry in again] == sorted(entries)
    assert digest_list(again) == digest_list(entries)


def random_list(generator):
    addresses = {generator.getrandbits(generator.choice((8, 12, 32))) for _number in range(generator.randint(1, 80))}
    entries = [
        Entry(
            address,
            generator.choice((0, MAX_MASK, generator.getrandbits(64), 1 << generator.randrange(64))),
            generator.choice(('', 'IA32_A%d' % address, 'MSR_B_%d' % address)),
            generator.choice(KINDS),
            None,
        )
        for address in addresses
    ]
    # The kind stands behind the name: without one it is configuration
    entries = [entry if entry.name else entry._replace(kind='configuration') for entry in entries]
    generator.shuffle(entries)
    return entries


def test_the_digest_ignores_order_names_and_spelling():
    one = parse_list('0x10 0x1 # TSC\n0x11 0x2 # X_Y (counter)\n', 'one')
    other = parse_list('# header\n17 02\n0x010 1\n', 'other')
    assert digest_list(one) == digest_list(other)


@pytest.mark.parametrize('text', ['', '0x10 0x1\n', '0x10 0x1\n0x11 0x3\n', '0x10 0x2\n0x11 0x1\n'])
def test_the_digest_sees_every_register_and_mask(text):
    assert digest_list(parse_list(text, 'other')) != digest_list(parse_list('0x10 0x1\n0x11 0x2\n', 'one'))


BASE = (
    '0x10 0x0 # IA32_TIME_STAMP_COUNTER (counter)\n0x1A0 0x1 # IA32_MISC_ENABLE\n0x1A4 0xF # MSR_MISC_FEATURE_CONTROL\n'
)


def override(*overrides):
    """Return ({address: mask}, unknown names) of BASE after overrides."""
    entries, unknown = apply_overrides(parse_list(BASE, 'base'), overrides)
    return {entry.address: entry.mask for entry in entries}, unknown


def bad_override(*overrides):
    with pytest.raises(MsrSafeError) as caught:
        override(*overrides)
    return str(caught.value)


def test_no_override_changes_nothing():
    assert override() == ({0x10: 0, 0x1A0: 1, 0x1A4: 0xF}, [])


@pytest.mark.parametrize('name', ['IA32_MISC_ENABLE', 'MISC_ENABLE', 'misc_enable', 'MSR_MISC_ENABLE'])
def test_an_override_changes_a_mask_by_name(name):
    assert override({'register': name, 'write_mask': '0x3'}) == ({0x10: 0, 0x1A0: 3, 0x1A4: 0xF}, [])


@pytest.mark.parametrize('address', ['0x1A0', '416', 0x1A0, '0640'])
def test_an_override_changes_a_mask_by_address(address):
    assert override({'address': address, 'write_mask': 3})[0][0x1A0] == 3


def test_an_override_adds_a_register():
    entries, _unknown = apply_overrides(
        parse_list(BASE, 'base'),
        [{'address': '0x620', 'write_mask': '0x7F7F', 'comment': 'MSR_UNCORE_RATIO_LIMIT', 'state': 'present'}],
    )
    assert entries[-1] == Entry(0x620, 0x7F7F, 'MSR_UNCORE_RATIO_LIMIT', 'configuration', None)


def test_an_override_to_a_mask_of_zero_leaves_the_register_readable():
    assert override({'address': '0x1A4', 'write_mask': 0})[0][0x1A4] == 0


def test_an_override_takes_a_register_away():
    assert override({'register': 'MISC_ENABLE', 'state': 'absent'}) == ({0x10: 0, 0x1A4: 0xF}, [])


def test_taking_away_what_is_not_there_is_no_error():
    assert override({'address': '0x999', 'state': 'absent'})[0] == {0x10: 0, 0x1A0: 1, 0x1A4: 0xF}


def test_keeping_a_register_keeps_its_mask():
    assert override({'address': '0x1A0', 'write_mask': None})[0][0x1A0] == 1


def test_unknown_names_are_reported():
    masks, unknown = override(
        {'register': 'CPPC_REQ', 'write_mask': '0xFF'},
        {'register': 'HWCR', 'state': 'absent'},
        {'register': 'MISC_ENABLE', 'write_mask': 7},
    )
    assert unknown == ['CPPC_REQ', 'HWCR']
    assert masks[0x1A0] == 7


def test_the_later_override_wins():
    assert override({'address': 0x1A0, 'write_mask': 2}, {'address': 0x1A0, 'write_mask': 4})[0][0x1A0] == 4


def test_an_override_knows_what_an_earlier_one_added():
    masks, unknown = override(
        {'address': '0x620', 'write_mask': 1, 'comment': 'MSR_UNCORE'}, {'register': 'UNCORE', 'write_mask': 3}
    )
    assert (masks[0x620], unknown) == (3, [])


def test_an_ambiguous_name_names_the_addresses():
    entries = parse_list('0x10 0 # IA32_PERF\n0x11 0 # MSR_PERF\n', 'base')
    with pytest.raises(MsrSafeError) as caught:
        apply_overrides(entries, [{'register': 'PERF', 'state': 'absent'}])
    assert 'override 1: PERF' in str(caught.value)
    assert '0x00000010, 0x00000011' in str(caught.value)


def test_a_prefix_alone_means_no_register():
    entries = parse_list('0x10 0\n', 'base')
    assert apply_overrides(entries, [{'register': 'MSR_', 'state': 'absent'}]) == (entries, ['MSR_'])


@pytest.mark.parametrize(
    'wrong, words',
    [
        ({}, 'neither register nor address'),
        ({'write_mask': 1}, 'neither register nor address'),
        ({'register': '', 'address': None}, 'neither register nor address'),
        ({'address': '0x620'}, '0x00000620 is not on the list and has no write_mask'),
        ({'address': '0x100000000', 'write_mask': 0}, 'wider than 32 bits'),
        ({'address': 'x', 'write_mask': 0}, "address 'x' is not a number"),
        ({'address': -1, 'write_mask': 0}, "'-1' is not a number"),
        ({'address': '0x620', 'write_mask': '0x1FFFFFFFFFFFFFFFF'}, 'wider than 64 bits'),
        ({'address': '0x620', 'write_mask': 'all'}, "write_mask 'all' is not a number"),
    ],
)
def test_a_wrong_override_says_which(wrong, words):
    said = bad_override({'address': 0x1A0, 'write_mask': 0}, wrong)
    assert said.startswith('override 2: ')
    assert words in said


def test_overrides_leave_the_given_list_alone():
    entries = parse_list(BASE, 'base')
    apply_overrides(entries, [{'address': 0x1A0, 'state': 'absent'}])
    assert entries == parse_list(BASE, 'base')
