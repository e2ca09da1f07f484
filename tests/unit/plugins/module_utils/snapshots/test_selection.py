# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.snapshots.selection import (
    CONFIGURATION,
    EVERYTHING,
    select_entries,
)
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    COUNTER,
    LIST,
    MISC_ENABLE,
    PLATFORM,
    PREFETCHERS,
    THERMAL,
)


def selected(selection):
    return [entry.address for entry in select_entries(parse_list(LIST, 'list'), selection, 'the list')]


@pytest.mark.parametrize(
    'selection, addresses',
    [
        (EVERYTHING, [COUNTER, MISC_ENABLE, PREFETCHERS, THERMAL]),
        (CONFIGURATION, [MISC_ENABLE, PREFETCHERS]),
        (CONFIGURATION._replace(read_only=True), [PLATFORM, MISC_ENABLE, PREFETCHERS]),
        (EVERYTHING._replace(kinds=['status', 'counter']), [COUNTER, THERMAL]),
        # Naming one is asking for it, whatever its kind.
        (CONFIGURATION._replace(registers=['PMC0', '0xCE']), [COUNTER, PLATFORM]),
        (CONFIGURATION._replace(registers=['PMC0', ' 0xCE', ' MISC_ENABLE']), [COUNTER, PLATFORM, MISC_ENABLE]),
        (EVERYTHING._replace(registers=['misc_enable', 'IA32_MISC_ENABLE', '416']), [MISC_ENABLE]),
    ],
)
def test_selects(selection, addresses):
    assert selected(selection) == addresses


@pytest.mark.parametrize(
    'text, words',
    [
        ('MISC_ENABEL', r'In the list: .*no register MISC_ENABEL\.\nDid you mean IA32_MISC_ENABLE'),
        ('0x123', r'0x123 is not in the list'),
        ('0x', r"In the list: .*'0x' is not a number"),
    ],
)
def test_what_is_not_there_is_refused(text, words):
    with pytest.raises(MsrSafeError, match='(?s)' + words):
        selected(EVERYTHING._replace(registers=[text]))


@pytest.mark.parametrize('text', ['', ' ', 'MSR_'])
def test_no_name_is_not_that_of_a_register_without_one(text):
    with pytest.raises(MsrSafeError, match='no register'):
        select_entries(parse_list(LIST + '0x123 0x1\n', 'list'), EVERYTHING._replace(registers=[text]), 'the list')
