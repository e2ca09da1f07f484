# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A set of CPU numbers as the kernel prints it: ``0-3,8``."""

from .errors import MsrSafeError


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
        first, dash, last = part.partition('-')
        if not first.isdigit() or (dash and not last.isdigit()):
            raise MsrSafeError(
                'Not a cpulist: %r' % text,
                'Write CPU numbers as the kernel does, for example 0-3,8.',
            )
        cpus.update(range(int(first), int(last or first) + 1))
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
