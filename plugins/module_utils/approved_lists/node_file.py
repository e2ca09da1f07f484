# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The node's own list file: what its header says beside the list."""

from ..layout import NOTICE
from .approved_list import render_list

# In the header of the node's list.
SOURCE = 'Source: '
ALLOWED = 'Allowed although unsafe: '


def approved_list_text(entries, source, allow_unsafe=(), cpu=''):
    """Return the node's own list file.

    source: says in words where the list comes from. allow_unsafe: addresses
    that the lint did not refuse, so that it does not refuse them at boot. cpu:
    the line of header.py that says which CPU it is for, so that it is refused
    where the disk is moved to another.
    """
    addresses = sorted(set(allow_unsafe) & {entry.address for entry in entries})
    header = [NOTICE, SOURCE + source, *filter(None, [cpu])]
    if addresses:
        header.append(ALLOWED + ', '.join('0x%X' % address for address in addresses))
    return render_list(entries, header)


def header_line(text, label):
    """Return what a line of a list's header says behind a label, or '' where there is none."""
    for line in text.splitlines():
        if line.startswith('# ' + label):
            return line[len('# ' + label) :].strip()
    return ''
