# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tests of the header's line about the CPU: a list for another CPU is refused, with the name of the right one."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.header import (
    cpu_line,
    cpu_of_text,
    require_this_cpu,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of

SKYLAKE = {'vendor': 'GenuineIntel', 'family': 6, 'model': 0x55}
MILAN = {'vendor': 'AuthenticAMD', 'family': 25, 'model': 1}
UNKNOWN = {'vendor': 'GenuineIntel', 'family': 6, 'model': 0xFE}
INTEL_LIST = '0x10 0\n0x199 0\n0x1A0 0\n0x610 0\n0x611 0\n'


def require(text, cpu, **options):
    require_this_cpu(text, parse_list(text, 'list'), 'list', cpu, registers_of(cpu), **options)


def test_line_and_text_agree():
    line = cpu_line('GenuineIntel', 6, 85, 'Skylake-SP, Cooper Lake')
    assert line == 'CPU: GenuineIntel family 6 model 85 (Skylake-SP, Cooper Lake)'
    assert cpu_of_text('# a heading\n# %s\n0x10 0\n' % line) == dict(SKYLAKE, name='Skylake-SP, Cooper Lake')


@pytest.mark.parametrize(
    'text',
    ['', '# CPU: Skylake, all of them\n', '# CPU family and model\n', '0x10 0 # CPU: GenuineIntel family 6 model 85\n'],
)
def test_other_comments_say_nothing(text):
    assert cpu_of_text(text) is None


@pytest.mark.parametrize(
    'line',
    [
        '#CPU:GenuineIntel family 19 model 1\r',
        '  # CPU: GenuineIntel family 19 model 1',
        '## cpu : GenuineIntel Family 19, Model 1',
        '# CPU: GenuineIntel family 0x13 model 0x1',
        '# CPU: GenuineIntel, family: 19, model: 1, stepping 2',
        '# CPU: Intel family 19 model 1 (Diamond',
        '# CPU: intel family=19 model=1 stepping=2',
    ],
)
def test_the_line_is_read_as_people_write_it(line):
    assert cpu_of_text(line + '\n0x10 0\n') == {'vendor': 'GenuineIntel', 'family': 19, 'model': 1, 'name': ''}
    with pytest.raises(MsrSafeError, match='is for GenuineIntel family 19 model 1'):
        require(line + '\n0x10 0\n', MILAN)


@pytest.mark.parametrize(
    'line', ['GenuineIntel family 6 models 85 and 86', 'AuthenticAMD family 25', 'Intel family 6 model ' + '9' * 5000]
)
def test_half_a_line_is_refused(line):
    with pytest.raises(MsrSafeError) as caught:
        require('# a list\n# CPU: %s\n0x10 0\n' % line, MILAN)
    assert 'list:2: ' in str(caught.value)
    assert '"# CPU: AuthenticAMD family 25 model 1"' in str(caught.value)


@pytest.mark.parametrize(
    'line',
    ['AuthenticAMD family 6 model 85', 'GenuineIntel family 19 model 85', 'GenuineIntel family 6 model 86'],
)
def test_a_list_for_another_cpu_is_refused_with_the_right_name(line):
    with pytest.raises(MsrSafeError) as caught:
        require('# CPU: %s\n%s' % (line, INTEL_LIST), SKYLAKE)
    said = str(caught.value)
    assert line in said
    assert 'this CPU is GenuineIntel family 6 model 85' in said
    assert 'Take al_0655' in said
    assert '--for-this-cpu-anyway' in said


def test_a_list_for_this_cpu_passes_whatever_it_has():
    require('# CPU: AuthenticAMD family 25 model 1 (Milan)\n' + INTEL_LIST, MILAN)


def test_without_a_header_the_addresses_say_it():
    require(INTEL_LIST, SKYLAKE)
    with pytest.raises(MsrSafeError, match=r'of its 5 registers this CPU, AuthenticAMD .*, is not known to have 4'):
        require(INTEL_LIST, MILAN)


def test_of_a_cpu_that_the_table_does_not_have_they_say_nothing():
    require(INTEL_LIST, UNKNOWN)


def test_what_was_allowed_by_address_is_known():
    require(INTEL_LIST, MILAN, allowed=[0x610, 0x611])


def test_of_a_vendor_that_shares_a_name_the_table_knows_nothing():
    amd = {'vendor': 'AuthenticAMD', 'family': 0x13, 'model': 1}
    assert not registers_of(amd).by_address
    assert registers_of(dict(amd, vendor='GenuineIntel')).by_address
