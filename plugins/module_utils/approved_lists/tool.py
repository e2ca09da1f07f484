# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A program that reads and writes registers: what each of its uses needs of a list, and what a list lacks for it."""

import collections

Use = collections.namedtuple('Use', 'name needs')
Use.__doc__ = """Something that a program does, in its own words, and its Needs."""

Need = collections.namedtuple('Need', 'address bits always why')
Need.__doc__ = """A register; the bits that are written, 0 where it is read; whether also on CPUs that are not known
to have it; and why, where that is not plain."""


def parse_uses(text):
    """Return the Uses of a program as the table (tool_table.py) writes them."""
    uses = []
    for line in text.splitlines():
        if line.startswith(' '):
            uses[-1].append(line)
        else:
            uses.append([line])
    return [parse_use(lines) for lines in uses]


def parse_use(lines):
    """Return the Use of its lines: its name, then a line each of its needs."""
    return Use(lines[0], [need for line in lines[1:] for need in parse_needs(line)])


def parse_needs(line):
    """Yield the Needs of a line: ``0x186-0x18D/0x1 0xFFC5FFFF``, ``0x3F1 0x0 always because``."""
    addresses, bits, *rest = line.split(None, 3)
    ends, _dummy, stride = addresses.partition('/')
    first, _dummy, last = ends.partition('-')
    for address in range(int(first, 16), int(last or first, 16) + 1, int(stride or '1', 16)):
        yield Need(address, int(bits, 16), bool(rest), rest[1] if len(rest) > 1 else '')


def needs_on(use, known):
    """Return a Use's Needs on a CPU that is known to have some addresses; [] where it has none of it.

    A CPU without the first register has no such use.
    """
    if use.needs[0].address not in known:
        return []
    return [need for need in use.needs if need.always or need.address in known]


def missing(needs, entries):
    """Return the Needs that a list does not meet."""
    masks = {entry.address: entry.mask for entry in entries}
    return [need for need in needs if need.address not in masks or need.bits & ~masks[need.address]]
