# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A category: what kind of difference a finding is about, and what that costs."""

import collections
import re

Category = collections.namedtuple('Category', 'name title state')
Category.__doc__ = """Its name in files, a title for people, and the state of a node that has such a finding."""

# What costs most comes first.
CATEGORIES = (
    Category('unreachable', 'no answer', 'down'),
    Category('missing', 'without msr-safe', 'missing'),
    Category('list', 'approved list', 'drift'),
    Category('deferred', 'deferred', 'drift'),
    Category('lock', 'locks', 'drift'),
    Category('power', 'power and frequency', 'drift'),
    Category('prefetchers', 'prefetchers', 'drift'),
    Category('unread', 'not readable', 'notice'),
    Category('other', 'other', 'notice'),
)
BY_NAME = {category.name: category for category in CATEGORIES}
RANKS = {category.name: rank for rank, category in enumerate(CATEGORIES)}

# The states of a node, the worst first. unchecked: there was nothing to compare it with.
STATES = ('down', 'missing', 'drift', 'notice', 'unchecked', 'ok')

LOCK = re.compile(r'(?:\A|_)LOCK(?:\Z|_)')
PREFETCHERS = re.compile(r'PREFETCH')
POWER = re.compile(
    r'POWER|TURBO|RATIO|FREQ|PERF_CTL|PERF_BIAS|ENERGY_PERF|HWP|PM_ENABLE|PSTATE|CPPC|CPB|CLOCK_MODULATION|SPEEDSTEP'
    r'|TEMPERATURE_TARGET|PLATFORM_INFO'
)


def category_of_register(register, fields):
    """Return the name of the category of a difference in some fields (their names) of a register."""
    if any(LOCK.search(field) for field in fields):
        return 'lock'
    if PREFETCHERS.search(register.name) or any(PREFETCHERS.search(field) for field in fields):
        return 'prefetchers'
    # MISC_ENABLE is about much else, too: there the fields tell
    names = fields if register.name == 'IA32_MISC_ENABLE' else [register.name, *fields]
    return 'power' if any(POWER.search(name) for name in names) else 'other'


def state_of(categories):
    """Return the worst of the states that categories (their names) give a node."""
    states = [BY_NAME[name].state for name in categories]
    return min(states, key=STATES.index) if states else 'ok'
