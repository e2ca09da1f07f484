# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

from ansible_collections.hpc.msr_safe.plugins.module_utils.access.write import (
    Problem,
    render_problems,
    summarize_problems,
)


def rendered(problems):
    return render_problems(summarize_problems(problems))


def test_a_problem_is_a_line():
    assert rendered([Problem(0x1A0, 'IA32_MISC_ENABLE', cpu, 'CPU is offline') for cpu in (1, 2)]) == (
        '0x000001A0 IA32_MISC_ENABLE on CPU 1-2: CPU is offline'
    )


def test_what_all_registers_of_a_cpu_share_is_said_once():
    offline = [Problem(address, '', 3, 'CPU is offline') for address in range(0x600, 0x600 + 235)]
    locked = [Problem(0x610, 'MSR_PKG_POWER_LIMIT', 0, 'the register did not take the value: it holds 0x1')]
    assert rendered(offline + locked) == (
        '235 registers on CPU 3: CPU is offline\n'
        '0x00000610 MSR_PKG_POWER_LIMIT on CPU 0: the register did not take the value: it holds 0x1'
    )


NOT_TAKEN = 'the register did not take the value: it holds 0x%x'


def test_registers_that_hold_other_values_share_that_they_took_none():
    locked = [Problem(address, '', 3, NOT_TAKEN % address) for address in range(0x600, 0x600 + 235)]
    assert rendered(locked) == '235 registers on CPU 3: the register did not take the value'


def test_nor_is_a_register_a_line_for_each_cpu():
    counting = [Problem(0xC1, 'IA32_PMC0', cpu, NOT_TAKEN % cpu) for cpu in range(272)]
    assert rendered(counting) == '0x000000C1 IA32_PMC0 on CPU 0-271: the register did not take the value'


def test_a_few_values_are_said():
    two = [Problem(0xC1, 'IA32_PMC0', cpu, NOT_TAKEN % (cpu % 2)) for cpu in range(4)]
    assert rendered(two) == (
        '0x000000C1 IA32_PMC0 on CPU 0,2: the register did not take the value: it holds 0x0\n'
        '0x000000C1 IA32_PMC0 on CPU 1,3: the register did not take the value: it holds 0x1'
    )
