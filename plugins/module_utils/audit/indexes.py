# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A list of indexes as text, runs of them folded: ``0-12,140,14-99``."""


def fold_indexes(indexes):
    """Return indexes, in their order, as text."""
    runs = []
    for index in indexes:
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ','.join('%d' % first if first == last else '%d-%d' % (first, last) for first, last in runs)


def unfold_indexes(text):
    """Return the indexes of a text. Raises ValueError."""
    indexes = []
    for part in text.split(',') if text else []:
        first, _dash, last = part.partition('-')
        indexes.extend(range(int(first), int(last or first) + 1))
    return indexes
