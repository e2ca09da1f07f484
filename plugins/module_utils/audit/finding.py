# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A finding: one difference, and all nodes that have it."""

import collections

from .category import RANKS
from .nodeset import fold_names, natural

Finding = collections.namedtuple('Finding', 'category source group subject title text changes nodes')
Finding.__doc__ = """category: a name of CATEGORIES; source: what it was compared with (a key of SOURCES); group: number
of the Group, None of a node that was not observed; subject: the register or whatever differs; title: the same in an
administrator's words, or ''; text: the difference on a line; changes: [[what, should be, is, on which CPUs in words]];
nodes: [name]."""

# What a finding was compared with -> what it says of its nodes
SOURCES = collections.OrderedDict(
    [
        ('node', ''),
        ('policy', 'not as the policy says'),
        ('baseline', 'not as in the baseline'),
        ('majority', 'unlike most equal nodes'),
        ('split', 'equal nodes that do not agree'),
    ]
)

# Changes that a line has room for
SHOWN = 4


def spell_changes(changes):
    """Return changes on a line: ``PL1_POWER_LIMIT 205 W -> 165 W on package 1``."""
    words = [
        ('%s %s -> %s' % (what, should, holds)).strip() + (' on ' + cpus if cpus else '')
        for what, should, holds, cpus in changes[:SHOWN]
    ]
    more = len(changes) - SHOWN
    return ', '.join(words) + (', and %d more' % more if more > 0 else '')


class Findings:
    """Gathers findings; equal ones of many nodes become one."""

    def __init__(self):
        self.found = collections.OrderedDict()

    def add(self, category, source, group, subject, changes, nodes, text=None, title=''):
        text = text or ('%s: %s' % (subject, spell_changes(changes)) if subject else spell_changes(changes))
        finding = Finding(category, source, group, subject, title, text, changes, [])
        key = (category, source, group, text)
        self.found.setdefault(key, finding).nodes.extend(nodes)

    def ranked(self):
        """Return the findings: what costs most first, then what most nodes have."""
        for finding in self.found.values():
            finding.nodes[:] = sorted(set(finding.nodes), key=natural)
        return sorted(self.found.values(), key=rank)


def rank(finding):
    return RANKS[finding.category], -len(finding.nodes), finding.subject, finding.text, natural(finding.nodes[0])


def describe_finding(finding):
    """Return a Finding as plain data, for files."""
    return dict(finding._asdict(), nodes=fold_names(finding.nodes), count=len(finding.nodes))
