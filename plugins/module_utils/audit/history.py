# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The history: how many nodes were in which state, run by run, and which state each deviating node was in."""

import collections

from .category import RANKS, STATES, state_of
from .nodeset import unfold_names

Moment = collections.namedtuple('Moment', 'time counts states')
Moment.__doc__ = """A run of the past: RFC 3339, {state: how many nodes}, {node: state} of those that were not ok."""


def moment_of(run):
    """Return the Moment of a run that was compared."""
    categories = {}
    for finding in run.findings:
        if finding['category'] in RANKS:
            for name in unfold_names(finding['nodes']):
                categories.setdefault(name, set()).add(finding['category'])
    counts = {state: int(run.counts.get(state, 0)) for state in STATES}
    return Moment(run.time, counts, {name: state_of(found) for name, found in categories.items()})
