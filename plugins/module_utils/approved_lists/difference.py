# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The difference between two approved lists, register by register."""

import collections

Difference = collections.namedtuple('Difference', 'address name before after')
Difference.__doc__ = """A register that two lists treat differently.

before, after: its write mask in each, or None where the list does not have it.
"""


def compare_lists(before, after):
    """Return the Differences between two lists' entries, by address."""
    old, new = ({entry.address: entry for entry in entries} for entries in (before, after))
    differences = []
    for address in sorted(set(old) | set(new)):
        masks = [entries[address].mask if address in entries else None for entries in (old, new)]
        if masks[0] != masks[1]:
            names = [entries[address].name for entries in (new, old) if address in entries]
            differences.append(Difference(address, next(filter(None, names), ''), *masks))
    return differences


def describe_difference(difference):
    """Return a Difference as plain data, masks as text."""
    return {
        'address': '0x%08X' % difference.address,
        'name': difference.name,
        'before': spell_mask(difference.before),
        'after': spell_mask(difference.after),
    }


def spell_mask(mask):
    return None if mask is None else '0x%016X' % mask
