# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Words: many of them in a sentence."""


def join_some(words, limit=5):
    """Return the first words of a list: ``a, b and 3 more``."""
    if len(words) <= limit:
        return ', '.join(words)
    return '%s and %d more' % (', '.join(words[:limit]), len(words) - limit)
