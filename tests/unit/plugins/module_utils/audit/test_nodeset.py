# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Names of nodes, folded."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.nodeset import fold_names, natural, unfold_names

FOLDED = [
    (['n1'], 'n1'),
    (['n%03d' % number for number in range(1, 118)], 'n[001-117]'),
    (['n1', 'n2', 'n4', 'login'], 'login,n[1-2,4]'),
    (['n9', 'n10'], 'n10,n9'),  # of another width, so of another pattern
    (['rack1-n1.site', 'rack1-n2.site'], 'rack1-n[1-2].site'),
    (['n1.hpc2.example', 'n2.hpc2.example'], 'n[1-2].hpc2.example'),
    (['login.hpc1.example', 'login.hpc2.example'], 'login.hpc[1-2].example'),
    (['10.0.0.1', '10.0.0.2'], '10.0.0.[1-2]'),
    (['n\u0661', 'n\u0662', '\u00b2'], 'n\u0661,n\u0662,\u00b2'),  # are not numbers to all programs
    ([], ''),
]


@pytest.mark.parametrize('names, text', FOLDED)
def test_names_are_folded_and_unfolded(names, text):
    assert fold_names(names) == text
    assert sorted(unfold_names(text)) == sorted(names)


def test_names_sort_as_people_sort_them():
    assert sorted(['2\u00b2', '\u00b2'], key=natural) == ['2\u00b2', '\u00b2']
    assert sorted(['n10', 'n2', 'n1', 'a', '7'], key=natural) == ['7', 'a', 'n1', 'n2', 'n10']
