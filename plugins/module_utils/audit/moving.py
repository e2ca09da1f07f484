# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What moves by nature: registers and bits that differ between equal nodes although nothing is wrong."""

import re

from ..registers.register import field_mask

# Registers that whoever counts events programs anew.
MONITORING = re.compile(
    r'PMON|PERFEVTSEL|PMC\d|FIXED_CTR|PERF_GLOBAL|PERF_CNTR_GLOBAL|PERF_CTL\d|DF_PERF|L3_PMC|PEBS|OFFCORE'
)

# Of the registers that the kernel rewrites while it manages frequencies (kind governed), the fields that follow the
# load; of others of this kind, everything does. Documentation/admin-guide/pm/{cpufreq,intel_pstate,amd-pstate}.rst
FOLLOWING_LOAD = {
    'IA32_PERF_CTL': ('FREQ',),
    'IA32_HWP_REQUEST': ('MINIMUM_PERFORMANCE', 'DESIRED_PERFORMANCE'),
    'CPPC_REQUEST': ('MINIMUM_PERFORMANCE', 'MAXIMUM_PERFORMANCE', 'DESIRED_PERFORMANCE'),
}

ALL = (1 << 64) - 1


def is_compared(name, kind):
    """Return whether an audit compares a register, by its name and kind."""
    if kind == 'governed':
        return name in FOLLOWING_LOAD
    return kind == 'configuration' and not MONITORING.search(name)


def still_bits(register):
    """Return the mask of those bits of a register that do not move."""
    if not is_compared(register.name, register.kind):
        return 0
    following = FOLLOWING_LOAD.get(register.name, ())
    return ALL & ~sum(field_mask(field) for field in register.fields if field.name in following)
