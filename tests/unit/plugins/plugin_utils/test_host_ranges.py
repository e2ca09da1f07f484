# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.host_ranges import format_hosts


@pytest.mark.parametrize(
    'names, text',
    [
        ([], ''),
        (['n1'], 'n1'),
        (['login'], 'login'),
        (['n%03d' % number for number in range(1, 118)], 'n[001-117]'),
        (['n003', 'n001', 'n002', 'n007', 'n001'], 'n[001-003,007]'),
        (['n8', 'n9', 'n10', 'n12'], 'n[8-10,12]'),
        (['n08', 'n09', 'n10'], 'n[08-10]'),
        (['n098', 'n099', 'n100', 'n101', 'gpu1'], 'gpu1,n[098-101]'),
        (['n1', 'n01'], 'n1,n01'),
        (['r1-n1', 'r1-n2', 'r2-n1'], 'r1-n[1-2],r2-n1'),
        (['n1.a.b', 'n2.a.b', 'n1.c'], 'n[1-2].a.b,n1.c'),
        (['10.0.0.1', '10.0.0.2'], '10.0.0.[1-2]'),
        (['n0', 'n1'], 'n[0-1]'),
    ],
)
def test_hosts_in_few_words(names, text):
    assert format_hosts(names) == text
