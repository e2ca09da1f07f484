# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError, for_all


def half(number):
    if number % 2:
        raise MsrSafeError('%d is odd.' % number)
    return number // 2


def test_returns_what_the_function_returns():
    assert for_all([2, 4], half) == [1, 2]


def test_says_all_that_is_refused_each_once():
    with pytest.raises(MsrSafeError) as caught:
        for_all([3, 2, 1, 3], half)
    assert str(caught.value) == '3 is odd.\n1 is odd.'
