# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The controls: what an administrator sets, and on which registers and fields each CPU has it.

Sources. SDM: Intel 64 and IA-32 Architectures Software Developer's Manual (335592: volume 4). PPR: AMD Processor
Programming Reference of the family. linux: the file of the kernel's source.
"""

import collections

from ..registers.register import short_name

Control = collections.namedtuple('Control', 'title kind ways instead')
Control.__doc__ = """title: for people; kind: of its Value (a quantity, 'switch' or 'word'); ways: the Ways in which
CPUs have it, the preferred first; instead: {vendor: what does it on CPUs that have no such register}."""

Way = collections.namedtuple('Way', 'registers fields inverted also words only_if whole least most lock owners')
Way.__doc__ = """One way in which CPUs have a control.

registers: names without prefix, one of which a CPU has; fields: that hold it ('*': all that end in _DISABLE);
inverted: does 1 in the field mean off; also: {field: number} that go with it; words: {word: number};
only_if: (register, field) that is 1 where this way is in use; whole: (register, field) of which a percentage is;
least, most: (register, field) that tell the limits, where they are not 0; lock: field that forbids it;
owners: drivers of the kernel that rewrite it, or ANY.
"""
Way.__new__.__defaults__ = (False, {}, {}, None, None, None, None, None, ())

ANY = ('any',)
HWP = ('PM_ENABLE', 'HWP_ENABLE')
BASE_FREQUENCY = ('PLATFORM_INFO', 'MAX_NON_TURBO_RATIO')

# linux: drivers/cpufreq/intel_pstate.c, epp_values; arch/x86/kernel/cpu/intel_epb.c, energ_perf_values
PREFERENCES = {'performance': 0, 'balance_performance': 128, 'balance_power': 192, 'power': 255}
BIASES = {'performance': 0, 'balance_performance': 4, 'balance_power': 8, 'power': 15}

AMD, INTEL = 'AuthenticAMD', 'GenuineIntel'


def frequency(field):
    """Return the way in which CPUs have a limit of the frequency. SDM 3B, Managing HWP"""
    return Way(
        ('HWP_REQUEST',),
        (field,),
        only_if=HWP,
        whole=BASE_FREQUENCY,
        least=('HWP_CAPABILITIES', 'LOWEST_PERFORMANCE'),
        most=('HWP_CAPABILITIES', 'HIGHEST_PERFORMANCE'),
        owners=ANY,
    )


def cpupower(option):
    return {AMD: "the kernel's frequency driver does it (cpupower frequency-set %s)" % option}


UNCORE_ELSEWHERE = {
    AMD: 'the SMU has it (HSMP)',
    INTEL: 'newer CPUs have it in TPMI (driver intel_uncore_frequency_tpmi)',
}

CONTROLS = collections.OrderedDict()
# SDM 3B, Package RAPL Domain
CONTROLS['package_power_limit'] = Control(
    'power limit of the package',
    'watts',
    [
        Way(
            ('PKG_POWER_LIMIT',),
            ('PL1_POWER_LIMIT',),
            also={'PL1_LIMIT_ENABLE': 1},
            whole=('PKG_POWER_INFO', 'THERMAL_SPEC_POWER'),
            least=('PKG_POWER_INFO', 'MIN_POWER'),
            most=('PKG_POWER_INFO', 'MAX_POWER'),
            lock='LOCK',
        )
    ],
    {
        AMD: 'AMD power limits are not MSRs: the SMU has them (HSMP, the BMC, the BIOS)',
        INTEL: 'newer CPUs have it in TPMI (driver intel_rapl_tpmi)',
    },
)
CONTROLS['minimum_frequency'] = Control(
    'lowest frequency', 'hertz', [frequency('MINIMUM_PERFORMANCE')], cpupower('--min')
)
CONTROLS['maximum_frequency'] = Control(
    'highest frequency', 'hertz', [frequency('MAXIMUM_PERFORMANCE')], cpupower('--max')
)
# SDM 4, IA32_MISC_ENABLE; PPR, HWCR. linux: drivers/cpufreq/acpi-cpufreq.c, boost_set_msr
CONTROLS['turbo'] = Control(
    'turbo',
    'switch',
    [
        Way(('MISC_ENABLE',), ('TURBO_MODE_DISABLE',), inverted=True, owners=('acpi-cpufreq',)),
        Way(('HWCR',), ('CPB_DISABLE',), inverted=True, owners=('acpi-cpufreq',)),
    ],
    {},
)
# SDM 4, MSR_UNCORE_RATIO_LIMIT
CONTROLS['uncore_minimum_frequency'] = Control(
    'lowest frequency of the uncore', 'hertz', [Way(('UNCORE_RATIO_LIMIT',), ('MIN_RATIO',))], UNCORE_ELSEWHERE
)
CONTROLS['uncore_maximum_frequency'] = Control(
    'highest frequency of the uncore', 'hertz', [Way(('UNCORE_RATIO_LIMIT',), ('MAX_RATIO',))], UNCORE_ELSEWHERE
)
# SDM 3B, Managing HWP, and Performance and Energy Bias Hint
CONTROLS['energy_preference'] = Control(
    'preference of performance or energy',
    'word',
    [
        Way(('HWP_REQUEST',), ('ENERGY_PERFORMANCE_PREFERENCE',), words=PREFERENCES, only_if=HWP, owners=ANY),
        Way(('ENERGY_PERF_BIAS',), ('POWER_POLICY',), words=BIASES),
    ],
    {AMD: 'amd-pstate does it (energy_performance_preference in /sys)'},
)
# SDM 4, MSR_MISC_FEATURE_CONTROL, MSR_PREFETCH_CONTROL; PPR, Prefetch Control
CONTROLS['prefetchers'] = Control(
    'hardware prefetchers',
    'switch',
    [Way(('MISC_FEATURE_CONTROL', 'PREFETCH_CONTROL'), '*', inverted=True)],
    {},
)
# SDM 4, MSR_POWER_CTL
CONTROLS['c1e'] = Control(
    'C1E',
    'switch',
    [Way(('POWER_CTL',), ('C1E_ENABLE',))],
    {AMD: "its C-states are the BIOS' and the kernel's"},
)


def fields_of(way, register):
    """Return the names of the fields of a register that hold a control."""
    if way.fields == '*':
        return [field.name for field in register.fields if field.name.endswith('_DISABLE')]
    return list(way.fields)


def registers_meant(names):
    """Return the names of all registers that controls (their names) may be about, or learn from."""
    meant = set()
    for name in names:
        for way in CONTROLS[name].ways:
            meant.update(way.registers)
            meant.update(pair[0] for pair in (way.only_if, way.whole, way.least, way.most) if pair)
    return sorted(meant)


def title_of_change(register, changed):
    """Return in an administrator's words what changed in fields of a register, or '' where that is no control.

    changed: {field: (number before, number after)}. ``turbo on -> off``, ``power limit of the package``.
    """
    for control in CONTROLS.values():
        for way in control.ways:
            if short_name(register.name) in way.registers and set(changed) <= {*fields_of(way, register), *way.also}:
                turns = set(changed.values())
                if control.kind != 'switch' or len(turns) != 1:
                    return control.title
                return '%s %s' % (control.title, ' -> '.join(spell_switch(number, way) for number in turns.pop()))
    return ''


def spell_switch(number, way):
    return 'on' if bool(number) != way.inverted else 'off'
