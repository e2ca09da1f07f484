# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A table for people: columns side by side, the last one wrapped on a terminal."""

import shutil
import sys
import textwrap


def render_table(rows, width=None):
    """Return rows of texts (the first is the head) as lines; ``width``: wrap the last column there."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        left = ''.join(cell.ljust(size + 2) for cell, size in zip(row, widths))
        lines += wrap(left, row[-1], width)
    return ''.join(line.rstrip() + '\n' for line in lines)


def wrap(left, text, width):
    """Return the lines of a row whose last cell is ``text``, under each other where it is long."""
    if width is None or len(left) + len(text) <= width:
        return [left + text]
    room = max(width - len(left), 24)
    first, *rest = textwrap.wrap(text, room, break_long_words=False) or ['']
    return [left + first] + [' ' * len(left) + line for line in rest]


def terminal_width():
    """Return the width of the terminal, or None where the output is read by a program."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
