# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A bare list: an approved list as the kernel shows it, addresses and masks only, in a text of a line each.

Each line is like ``0x000001A0 0x0000004000000000``, of one length, so that prologs and epilogs need not parse it.
"""

ADDRESS = slice(0, 10)
MASK = slice(13, 29)
CLOSED = ' 0x0000000000000000'


def bare(entries):
    """Return the bare list of entries (with address and mask)."""
    return ''.join(sorted('0x%08X 0x%016X\n' % (entry.address, entry.mask) for entry in entries))


def is_writable(text):
    """Return whether a list lets anything be written."""
    return ' ' in text.replace(CLOSED, '')


def reading(text):
    """Return the list that lets the same registers be read, and nothing be written."""
    return ''.join(line[ADDRESS] + CLOSED + '\n' for line in text.splitlines())


def unite(texts):
    """Return the list that approves all that several lists do."""
    texts = sorted(set(texts))
    if len(texts) == 1:
        return texts[0]
    masks = {}
    for text in texts:
        for line in text.splitlines():
            masks[line[ADDRESS]] = masks.get(line[ADDRESS], 0) | int(line[MASK], 16)
    return ''.join('%s 0x%016X\n' % item for item in sorted(masks.items()))
