# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A set of CPU numbers as the kernel prints it: ``0-3,8``."""

import re

from ..errors import MsrSafeError

RANGE = re.compile(r'([0-9]{1,5})(?:-([0-9]{1,5}))?\Z')
# The batch operation has 16 bits for a CPU.
MAX_CPU = (1 << 16) - 1


def parse_cpulist(text):
    """Return the CPU numbers of a cpulist, ascending and each once.

    The empty text is the empty list. Raises MsrSafeError on anything that is
    not a cpulist (format: Documentation/core-api/printk-formats and
    cpuset(7), without the stride notation, which /sys never prints).
    """
    cpus = set()
    for part in text.strip().split(','):
        if not part:
            continue
        match = RANGE.match(part)
        first, last = (int(match.group(1)), int(match.group(2) or match.group(1))) if match else (1, 0)
        if not first <= last <= MAX_CPU:
            raise MsrSafeError(
                'Not a cpulist: %r.' % text,
                'Write CPU numbers as the kernel does, for example 0-3,8.',
            )
        cpus.update(range(first, last + 1))
    return sorted(cpus)


def format_cpulist(cpus):
    """Return CPU numbers (any order) as a cpulist."""
    ranges = []
    for cpu in sorted(set(cpus)):
        if ranges and ranges[-1][1] == cpu - 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ','.join(str(first) if first == last else '%d-%d' % (first, last) for first, last in ranges)
