# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tests of what programs need of a list."""

from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.tool import (
    Need,
    missing,
    needs_on,
    parse_uses,
)

TEXT = """\
core counters
  0x186-0x187 0xFF
  0xE01-0xE11/0x10 0x0
  0x3F1 0xF always it writes 0
energy
  0x611 0x0
"""


def test_uses_are_read():
    counters, energy = parse_uses(TEXT)
    assert counters.name == 'core counters'
    assert [need.address for need in counters.needs] == [0x186, 0x187, 0xE01, 0xE11, 0x3F1]
    assert counters.needs[0] == Need(0x186, 0xFF, False, '')
    assert counters.needs[-1] == Need(0x3F1, 0xF, True, 'it writes 0')
    assert energy.needs == [Need(0x611, 0, False, '')]


def test_a_cpu_needs_what_it_has_and_what_the_program_insists_on():
    counters, energy = parse_uses(TEXT)
    assert [need.address for need in needs_on(counters, {0x186, 0xE01})] == [0x186, 0xE01, 0x3F1]
    assert needs_on(counters, {0x187}) == []
    assert needs_on(energy, {0x186}) == []


def test_a_list_lacks_registers_and_bits():
    counters, _energy = parse_uses(TEXT)
    entries = parse_list('0x186 0xFF\n0x187 0x7F\n0xE01 0x0\n', 'list')
    assert [need.address for need in missing(counters.needs, entries)] == [0x187, 0xE11, 0x3F1]
