# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The summary of a run: how many nodes are as wanted, changed, deferred, failed or untouched, and why."""

from __future__ import annotations

import collections
import re

from ..module_utils.audit.nodeset import fold_names
from ..module_utils.provisioning.deferred import of_every_node

AS_WANTED, CHANGED, DEFERRED, FAILED, UNREACHABLE, UNTOUCHED = (
    'as wanted',
    'changed',
    'deferred',
    'failed',
    'unreachable',
    'untouched',
)
OUTCOMES = (AS_WANTED, CHANGED, DEFERRED, FAILED, UNREACHABLE, UNTOUCHED)

STAGE = re.compile(r'Stage ([a-z]+): ')


class FleetSummary:
    """What a run of the role did on each node, as far as its results tell."""

    def __init__(self):
        self.done = collections.OrderedDict()  # {node: [lines 'stage: title']}
        self.pending = {}  # {node: is anything due, as planned}
        self.deferred = {}  # {node: [lines 'stage: title: reason']}
        self.errors = {}  # {node: (stage, first line of the message, is it unreachable)}
        self.expected = []  # nodes of the play

    def expect(self, nodes):
        """Take in the nodes of a play: those that say nothing in the end were left alone."""
        self.expected += [node for node in nodes if node not in self.expected]

    def plan(self, node, result):
        """Take in a result of msr_safe_plan."""
        self.done.setdefault(node, [])
        self.pending[node] = bool(result.get('due'))
        self.deferred[node] = result.get('deferred', [])

    def apply(self, node, result):
        """Take in a result of msr_safe_apply or msr_safe_build."""
        self.done.setdefault(node, []).extend(result.get('done', []))
        self.pending[node] = False
        if 'deferred' in result:
            self.deferred[node] = result['deferred']

    def fail(self, node, stage, message, unreachable=False):
        """Take in a failure; the stage is that of the task unless the message names one."""
        self.done.setdefault(node, [])
        lines = str(message or '').strip().splitlines() or ['no reason was given']
        text = ' '.join(lines[: 2 if lines[0].endswith(':') else 1])
        text = re.sub(r'\A(Task failed: )?(Module failed: )?', '', text)
        named = STAGE.match(text)
        self.errors[node] = (named.group(1) if named else stage, STAGE.sub('', text), unreachable)

    def outcome(self, node):
        if node in self.errors:
            return UNREACHABLE if self.errors[node][2] else FAILED
        if node not in self.done or (self.pending.get(node) and not self.done[node]):
            return UNTOUCHED
        if self.deferred.get(node):
            return DEFERRED
        return CHANGED if self.done[node] else AS_WANTED

    def nodes(self):
        """Return all nodes, in the order of the inventory."""
        return [*self.expected, *(node for node in self.done if node not in self.expected)]

    def as_data(self):
        """Return the summary as plain data.

        Shape: ``{'nodes': int, 'outcomes': {outcome: {'nodes': [str], 'range': 'n[1-3]'}}, 'stages': {stage: number of
        nodes on which something was done}, 'reasons': [{'outcome', 'stage', 'reason', 'nodes', 'range'}]}``.
        """
        nodes = self.nodes()
        outcomes = {outcome: [node for node in nodes if self.outcome(node) == outcome] for outcome in OUTCOMES}
        stages = collections.Counter(
            stage for node in nodes for stage in {stage_of(line) for line in self.done.get(node, [])}
        )
        return {
            'nodes': len(nodes),
            'outcomes': {outcome: described(found) for outcome, found in outcomes.items()},
            'stages': dict(sorted(stages.items())),
            'reasons': self.reasons(nodes),
        }

    def reasons(self, nodes):
        """Return why nodes are deferred or failed, each reason once with its nodes."""
        by_reason = collections.OrderedDict()
        for node in nodes:
            if node in self.errors:
                stage, text, _unreachable = self.errors[node]
                by_reason.setdefault((self.outcome(node), stage, text), []).append(node)
            for line in self.deferred.get(node, []):
                stage, _colon, text = line.partition(': ')
                by_reason.setdefault((DEFERRED, stage, of_every_node(text)), []).append(node)
        return [
            dict(described(found), outcome=outcome, stage=stage, reason=text)
            for (outcome, stage, text), found in by_reason.items()
        ]

    def as_text(self):
        """Return the summary as lines for people; none where the role was not in the run."""
        if not self.done:
            return []
        data = self.as_data()
        lines = ['msr-safe on %d node%s' % (data['nodes'], '' if data['nodes'] == 1 else 's')]
        for outcome in OUTCOMES:
            found = data['outcomes'][outcome]
            if not found['nodes']:
                continue
            lines.append('%7d %-12s %s' % (len(found['nodes']), outcome, found['range']))
            lines += [
                '%9d  %s: %s  (%s)' % (len(each['nodes']), each['stage'], each['reason'], each['range'])
                for each in data['reasons']
                if each['outcome'] == outcome
            ]
        if data['stages']:
            lines.append('        done: ' + ', '.join('%s on %d' % pair for pair in data['stages'].items()))
        return lines


def described(nodes):
    return {'nodes': nodes, 'range': fold_names(nodes)}


def stage_of(line):
    return line.partition(':')[0]
