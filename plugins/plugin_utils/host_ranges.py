# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Many hosts in few words: n[001-117]."""

from __future__ import annotations

import itertools
import re

LAST_NUMBER = re.compile(r'(.*?)([0-9]+)([^0-9]*)\Z', re.DOTALL)


def format_hosts(names):
    """Return host names with those that differ in their last number put together: ``gpu1,n[001-003,007].cluster``."""
    groups = {}
    for name in sorted(set(names)):
        match = LAST_NUMBER.match(name)
        prefix, digits, suffix = match.groups() if match else (name, '', '')
        # Without leading zeros, n9 and n10 are of one row
        width = len(digits) if digits.startswith('0') and len(digits) > 1 else 0
        groups.setdefault((prefix, suffix, width), []).append(digits)
    groups = with_full_width(groups)
    return ','.join(
        prefix + format_numbers(numbers) + suffix for (prefix, suffix, _w), numbers in sorted(groups.items())
    )


def with_full_width(groups):
    """Return groups {(prefix, suffix, width): digits} with n100 put to n099, whose numbers have as many digits."""
    whole = {}
    for (prefix, suffix, width), numbers in groups.items():
        for digits in numbers:
            key = (prefix, suffix, len(digits))
            whole.setdefault(key if not width and key in groups else (prefix, suffix, width), []).append(digits)
    return whole


def format_numbers(numbers):
    """Return numbers (digits, as they are written) as ranges: ``[001-003,007]``; one alone as it is."""
    ordered = sorted(numbers, key=lambda digits: int(digits or 0))
    if len(ordered) == 1:
        return ordered[0]
    ranges = []
    for _key, members in itertools.groupby(enumerate(ordered), key=lambda pair: int(pair[1]) - pair[0]):
        row = [digits for _place, digits in members]
        ranges.append(row[0] if len(row) == 1 else '%s-%s' % (row[0], row[-1]))
    return '[%s]' % ','.join(ranges)
