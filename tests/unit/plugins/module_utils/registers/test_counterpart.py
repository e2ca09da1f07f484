# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.counterpart import COUNTERPARTS
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import addresses_of_names, registers_of

SKYLAKE = {'vendor': 'GenuineIntel', 'family': 6, 'model': 85}
GRANITE = {'vendor': 'GenuineIntel', 'family': 6, 'model': 173}
MILAN = {'vendor': 'AuthenticAMD', 'family': 25, 'model': 1}
TURIN = {'vendor': 'AuthenticAMD', 'family': 26, 'model': 2}


def remedy(cpu, name):
    with pytest.raises(MsrSafeError) as caught:
        registers_of(cpu).find(name)
    assert caught.value.problem == 'This CPU has no register %s.' % name
    return caught.value.remedy


@pytest.mark.parametrize(
    ('cpu', 'name', 'counterpart'),
    [
        (MILAN, 'IA32_MISC_ENABLE', 'HWCR (0xC0010015)'),
        (SKYLAKE, 'HWCR', 'IA32_MISC_ENABLE (0x1A0)'),
        # Near by its letters would be PERF_CTL0, which selects what a counter counts
        (MILAN, 'PERF_CTL', 'PSTATE_CTL (0xC0010062)'),
        (SKYLAKE, 'PSTATE_CTL', 'IA32_PERF_CTL (0x199)'),
        (MILAN, 'PERFEVTSEL3', 'PERF_CTL3 (0xC0010206)'),
        (SKYLAKE, 'perf_ctr2', 'IA32_PMC2 (0xC3)'),
        (TURIN, 'HWP_REQUEST', 'CPPC_REQUEST (0xC00102B3)'),
    ],
)
def test_the_register_that_does_the_same_is_named(cpu, name, counterpart):
    assert remedy(cpu, name).startswith('On this CPU ' + counterpart)


def test_what_does_it_instead_of_a_register_is_named():
    assert 'HSMP' in remedy(MILAN, 'PKG_POWER_LIMIT')
    assert 'cpupower' in remedy(MILAN, 'HWP_REQUEST')
    assert 'TPMI' in remedy(GRANITE, 'UNCORE_RATIO_LIMIT')


def test_a_name_that_no_cpu_has_still_suggests_near_ones():
    assert remedy(SKYLAKE, 'PKG_POWR_LIMIT').startswith('Did you mean MSR_PKG_POWER_LIMIT')
    assert remedy(MILAN, 'NO_SUCH_THING') == 'Give its address.'


def test_every_counterpart_is_a_register_that_the_table_knows():
    known = addresses_of_names()
    named = {name.format(0) for each in COUNTERPARTS for name in each.intel + each.amd}
    assert named - set(known) == set()
