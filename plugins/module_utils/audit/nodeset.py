# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A set of node names, folded as clusters write it: ``n[001-117],login1``."""

import re

NUMBERED = re.compile(r'(.*?)([0-9]+)([^0-9]*)\Z', re.DOTALL)


def fold_names(names):
    """Return names (any order) as one text.

    Those that differ in one number only are put together: the last of the host's own name, before its domain.
    """
    runs, others = {}, []
    for name in set(names):
        numbered = split_at_number(name)
        if numbered:
            prefix, digits, suffix = numbered
            runs.setdefault((prefix, len(digits), suffix), []).append(int(digits))
        else:
            others.append(name)
    folded = [
        (prefix, suffix, fold_numbers(sorted(numbers), width)) for (prefix, width, suffix), numbers in runs.items()
    ]
    return ','.join(sorted(others + [prefix + numbers + suffix for prefix, suffix, numbers in folded]))


def split_at_number(name):
    """Return (what is before a name's last number, the number, what is behind it), or None where it has none.

    Numbers of a domain are passed over, unless the host's own name has none. An address has no domain.
    """
    label, dot, domain = name.partition('.')
    own = NUMBERED.match(label)
    if own and own.group(1):
        return own.group(1), own.group(2), own.group(3) + dot + domain
    match = NUMBERED.match(name)
    return match and match.groups()


def fold_numbers(numbers, width):
    """Return ascending numbers as ``[001-117,120]``; a single one stands without brackets."""
    if len(numbers) == 1:
        return '%0*d' % (width, numbers[0])
    ranges = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    spelled = ['%0*d' % (width, first) + ('-%0*d' % (width, last) if last > first else '') for first, last in ranges]
    return '[%s]' % ','.join(spelled)


def unfold_names(text):
    """Return the names of a text that fold_names wrote."""
    names = []
    for part in re.findall(r'[^,\[]+(?:\[[^\]]*\][^,\[]*)?', text):
        prefix, bracket, rest = part.partition('[')
        if not bracket:
            names.append(part)
            continue
        numbers, _bracket, suffix = rest.partition(']')
        for run in numbers.split(','):
            first, _dash, last = run.partition('-')
            names += [
                '%s%0*d%s' % (prefix, len(first), number, suffix)
                for number in range(int(first), int(last or first) + 1)
            ]
    return names


def natural(name):
    """Return a key that sorts names as people do: n2 before n10."""
    parts = enumerate(re.split('([0-9]+)', name))  # Every second one is a number
    return [(0, int(part), '') if place % 2 else (1, 0, part) for place, part in parts if part]
