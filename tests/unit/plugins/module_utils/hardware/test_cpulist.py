# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import random

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.cpulist import format_cpulist, parse_cpulist


@pytest.mark.parametrize(
    'text, cpus',
    [
        ('', []),
        ('0', [0]),
        ('0-3,8\n', [0, 1, 2, 3, 8]),
        ('5,1,3', [1, 3, 5]),
        ('0-2,1-3', [0, 1, 2, 3]),
        ('127-128', [127, 128]),
    ],
)
def test_parses(text, cpus):
    assert parse_cpulist(text) == cpus


@pytest.mark.parametrize(
    'text', ['a', '1-', '-1', '0-3-5', '0x1', '1;2', '1-a', '1.5', '²', '3-1', '0-99999999999', '65536']
)
def test_refuses_what_is_no_cpulist(text):
    with pytest.raises(MsrSafeError) as caught:
        parse_cpulist(text)
    assert repr(text) in str(caught.value)
    assert '0-3,8' in str(caught.value)


@pytest.mark.parametrize(
    'cpus, text',
    [([], ''), ([0], '0'), ([0, 1], '0-1'), ([3, 1, 2, 8], '1-3,8'), ([1, 1, 2], '1-2'), ([0, 2, 4], '0,2,4')],
)
def test_formats(cpus, text):
    assert format_cpulist(cpus) == text


def test_reads_back_what_it_formats():
    generator = random.Random(1)
    for _number in range(200):
        cpus = sorted(generator.sample(range(300), generator.randint(0, 60)))
        assert parse_cpulist(format_cpulist(cpus)) == cpus
