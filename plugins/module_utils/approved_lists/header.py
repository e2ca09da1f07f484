# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The line of a list's header that says which CPU the list is for, and whether it is for this one."""

import re

from ..errors import MsrSafeError
from ..hardware.cpu import describe_cpu, list_name

# CPU: GenuineIntel family 6 model 85 (Skylake-SP), also as people write it: family 0x6, Model: 85, stepping 7
HEAD = r'\s*#[\s#]*CPU\s*:'
NUMBERS = r'family[\s:=]+(0x[0-9a-f]{1,4}|[0-9]{1,4}),?\s+model[\s:=]+(0x[0-9a-f]{1,4}|[0-9]{1,4})'
CPU_LINE = re.compile(
    HEAD + r'\s*(\w+),?\s+' + NUMBERS + r'(?:\s+\((.*)\)\s*\Z|,?\s+stepping|\s+\(|\s*\Z)', re.IGNORECASE
)
# One that means to say it, and does not in whole; the second, without a vendor, is of lists of 2.0.0's development
HALF_A_LINE = re.compile(HEAD + r'.*\b(?:family|model)', re.IGNORECASE)
WITHOUT_VENDOR = re.compile(HEAD + r'.*\b' + NUMBERS + r'(?:\s+\(|\s*\Z)', re.IGNORECASE)

# As the kernel names them
VENDORS = {'intel': 'GenuineIntel', 'amd': 'AuthenticAMD', 'hygon': 'HygonGenuine'}

# Of fewer registers nobody can say whose they are; the lint looks at each.
FEW = 4

ANYWAY = 'or take it all the same: --for-this-cpu-anyway (for_this_cpu_anyway: true).'


def cpu_line(vendor, family, model, name=''):
    """Return the header's line, without the comment sign."""
    return 'CPU: %s family %d model %d%s' % (vendor, family, model, ' (%s)' % name if name else '')


def line_of(cpu):
    return cpu_line(cpu.get('vendor', 'VENDOR'), cpu['family'], cpu['model'])


def cpu_of_text(text):
    """Return the processor that a list's header names, or None: ``{'vendor', 'family', 'model', 'name'}``."""
    for line in text.split('\n'):
        match = CPU_LINE.match(line)
        if match:
            vendor, family, model, name = match.groups()
            return {
                'vendor': VENDORS.get(vendor.lower(), vendor),
                'family': number(family),
                'model': number(model),
                'name': name or '',
            }
    return None


def number(text):
    return int(text, 16 if text[:2].lower() == '0x' else 10)


def has_numbers_of(cpu, line):
    """Return whether a line that names no vendor has family and model of a processor."""
    match = WITHOUT_VENDOR.match(line)
    return bool(match) and [number(text) for text in match.groups()] == [cpu['family'], cpu['model']]


def require_cpu_of_header(text, source, cpu):
    """Raise MsrSafeError where a list's header says that it is for another processor, or cannot be read."""
    header = cpu_of_text(text)
    for place, line in enumerate([] if header else text.split('\n'), 1):
        if HALF_A_LINE.match(line) and not has_numbers_of(cpu, line):
            raise MsrSafeError(
                "%s:%d: the line that says which CPU the list is for cannot be read as this one's, %s: %s"
                % (source, place, describe_cpu(cpu), line.strip()),
                'Write "# %s", %s' % (line_of(cpu), ANYWAY),
            )
    if header and any(header[key] != cpu[key] for key in ('vendor', 'family', 'model') if key in cpu):
        raise MsrSafeError(
            '%s is for %s, and this CPU is %s.' % (source, describe_cpu(header), describe_cpu(cpu)),
            'Take %s, %s' % (list_name(cpu), ANYWAY),
        )


def require_this_cpu(text, entries, source, cpu, registers, allowed=()):
    """Raise MsrSafeError where a list is for another processor than this one.

    Its header says so; or it has none, and our table does not know most of its
    addresses on this processor. registers: Registers of this processor;
    allowed: addresses that somebody named, and so knows.
    """
    require_cpu_of_header(text, source, cpu)
    if cpu_of_text(text):
        return
    unknown = [entry for entry in entries if entry.address not in registers.by_address and entry.address not in allowed]
    if registers.by_address and len(unknown) >= FEW and 2 * len(unknown) > len(entries):
        raise MsrSafeError(
            '%s does not say which CPU it is for, and of its %d registers this CPU, %s, is not known to have %d.'
            % (source, len(entries), describe_cpu(cpu), len(unknown)),
            'Take %s, or add the line "# %s", %s' % (list_name(cpu), line_of(cpu), ANYWAY),
        )
