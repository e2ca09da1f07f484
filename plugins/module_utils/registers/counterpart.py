# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The counterpart of a register: what does on one vendor's CPUs what it does on another's.

For errors only: nothing is ever read or written by way of it. Sources. SDM: Intel 64 and IA-32 Architectures Software
Developer's Manual, volume 4. PPR: AMD Processor Programming Reference of the family. linux: the kernel's source.
"""

import collections
import re

from .register import describe, short_name

Counterpart = collections.namedtuple('Counterpart', 'does intel amd instead')
Counterpart.__doc__ = """does: what both are for, in words; intel, amd: short names of registers, the preferred first,
{} for a number that both have; instead: {vendor: what does it on CPUs that have no such register}."""
Counterpart.__new__.__defaults__ = ({},)

INTEL, AMD = 'GenuineIntel', 'AuthenticAMD'

COUNTERPARTS = (
    # SDM, Package and DRAM RAPL domains; linux: drivers/platform/x86/amd/hsmp, drivers/powercap/intel_rapl_tpmi.c
    Counterpart(
        'limits power',
        ('PKG_POWER_LIMIT', 'DRAM_POWER_LIMIT', 'PLATFORM_POWER_LIMIT', 'PKG_POWER_INFO'),
        (),
        {
            AMD: 'Power limits of AMD are not MSRs: the SMU has them (HSMP, the BMC, the BIOS).',
            INTEL: 'Newer CPUs have their power limits in TPMI (driver intel_rapl_tpmi).',
        },
    ),
    # SDM, IA32_MISC_ENABLE bit 38; PPR, HWCR bit 25
    Counterpart('turns turbo off (field TURBO_MODE_DISABLE of Intel, CPB_DISABLE of AMD)', ('MISC_ENABLE',), ('HWCR',)),
    # PPR, MSRC001_0062 and MSRC001_0063
    Counterpart('asks for a frequency', ('PERF_CTL',), ('PSTATE_CTL',)),
    Counterpart('tells the frequency that was asked for', ('PERF_STATUS',), ('PSTATE_STAT',)),
    # SDM, Managing HWP; PPR, MSRC001_02B0 to MSRC001_02B3; linux: drivers/cpufreq/amd-pstate.c
    Counterpart(
        'bounds the frequency',
        ('HWP_REQUEST', 'ENERGY_PERF_BIAS'),
        ('CPPC_REQUEST',),
        {AMD: "The kernel's frequency driver does it (cpupower frequency-set)."},
    ),
    Counterpart('tells the bounds of the frequency', ('HWP_CAPABILITIES',), ('CPPC_CAPABILITY_1',)),
    Counterpart('turns the management of frequency by the CPU on', ('PM_ENABLE',), ('CPPC_ENABLE',)),
    # linux: drivers/platform/x86/amd/hsmp, drivers/platform/x86/intel/uncore-frequency
    Counterpart(
        'bounds the frequency of the uncore',
        ('UNCORE_RATIO_LIMIT', 'UNCORE_PERF_STATUS'),
        (),
        {
            AMD: 'The SMU has it (HSMP).',
            INTEL: 'Newer CPUs have it in TPMI (driver intel_uncore_frequency_tpmi).',
        },
    ),
    # PPR, MSRC000_0108
    Counterpart('turns prefetchers off', ('MISC_FEATURE_CONTROL',), ('PREFETCH_CONTROL',)),
    # linux: arch/x86/events/rapl.c
    Counterpart('tells the units of energy', ('RAPL_POWER_UNIT',), ('RAPL_PWR_UNIT',)),
    Counterpart('counts the energy of the package', ('PKG_ENERGY_STATUS',), ('PKG_ENERGY_STAT',)),
    Counterpart('counts the energy of cores', ('PP0_ENERGY_STATUS',), ('CORE_ENERGY_STAT',)),
    # linux: arch/x86/events/amd/core.c
    Counterpart('selects the event of a counter', ('PERFEVTSEL{}',), ('PERF_CTL{}',)),
    Counterpart('is a counter of events', ('PMC{}',), ('PERF_CTR{}',)),
    Counterpart('counts time', ('TIME_STAMP_COUNTER',), ('TSC',)),
    # linux: drivers/hwmon/k10temp.c
    Counterpart(
        'tells temperatures',
        ('THERM_STATUS', 'PACKAGE_THERM_STATUS', 'TEMPERATURE_TARGET'),
        (),
        {AMD: "Temperatures are not MSRs there: the kernel's k10temp has them (`sensors`)."},
    ),
)


def counterpart(name, vendor, registers):
    """Return a sentence that says what a CPU without a register has in its place, or None.

    name: as it was asked for; vendor: of the CPU; registers: those it has.
    """
    of_intel = vendor == INTEL
    for each in COUNTERPARTS:
        theirs, ours = (each.amd, each.intel) if of_intel else (each.intel, each.amd)
        for asked in theirs + ours:
            number = re.match(re.escape(asked).replace(r'\{\}', r'(\d+)') + r'\Z', short_name(name))
            if number:
                wanted = [one.format(*number.groups()) for one in ours if one != asked]
                return in_place(each, wanted, asked in theirs, vendor, registers)
    return None


def in_place(each, wanted, is_theirs, vendor, registers):
    """Return the sentence for the counterpart that a CPU has, or for what does it instead of a register."""
    by_name = {short_name(register.name): register for register in registers}
    found = [by_name[name] for name in wanted if name in by_name] if is_theirs else []
    if found:
        return 'On this CPU %s %s.' % (describe(found[0]), each.does)
    return each.instead.get(INTEL if vendor == INTEL else AMD)
