# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A run: what was observed on a fleet at one time, equal things written once (format version 1)."""

import collections
import json

from ..errors import MsrSafeError
from ..hardware.cpulist import parse_cpulist
from .answer import check_answer, check_facts, check_reading
from .classes import cpus_of, group_key
from .history import moment_of
from .indexes import fold_indexes, unfold_indexes

FORMAT = 'hpc.msr_safe audit'
VERSION = 1

Run = collections.namedtuple('Run', 'time readings facts nodes findings counts')
Run.__doc__ = """Observations of a fleet.

time: RFC 3339, UTC; readings: [(address, {value: cpulist}, {error: cpulist})], each once; facts: [what else was
observed, as a dictionary], each once; nodes: {name: Node}; findings: what the comparison found then, as plain data;
counts: {state: how many nodes}. Both are empty before the comparison.
"""

Node = collections.namedtuple('Node', 'failure facts registers equal policy deferred')
Node.__new__.__defaults__ = ([],)
Node.__doc__ = """A node: why it could not be observed, or None; the index of its facts; the indexes of its readings as
text (``0-99,140``); what the site says is equal on equal nodes {name: text}; its policy, a list of statements; the
work of the role that waits there, as of read_deferred."""


class Recorder:
    """Puts the observations of nodes together into a Run."""

    def __init__(self, time):
        self.run = Run(time, [], [], {}, [], {})
        self.readings, self.facts = {}, {}

    def add(self, name, observation, equal=None, policy=None):
        """Add what msr_audit_info returned of a node. Raises MsrSafeError where that has another shape."""
        check_answer({'observation': observation, 'equal': equal or {}})
        facts = {key: value for key, value in observation.items() if key not in ('registers', 'deferred')}
        indexes = [
            self.number(self.readings, self.run.readings, (address, *reading), check_reading)
            for address, reading in sorted(observation['registers'].items())
        ]
        self.run.nodes[name] = Node(
            None,
            self.number(self.facts, self.run.facts, facts, check_facts),
            fold_indexes(indexes),
            texts(equal),
            policy or [],
            observation['deferred'],
        )

    def add_failure(self, name, kind, message, equal=None):
        """Add a node that could not be observed. kind: 'unreachable' or 'failed'."""
        self.run.nodes[name] = Node({'kind': kind, 'message': message}, None, '', texts(equal), [])

    @staticmethod
    def number(known, things, thing, check):
        """Return the index of a thing in ``things``, where it is added if it is new, and passes the check."""
        key = json.dumps(thing, sort_keys=True)
        if key not in known:
            check(thing)
            known[key] = len(things)
            things.append(thing)
        return known[key]


def texts(equal):
    return {str(name): str(value) for name, value in (equal or {}).items()}


def render_run(run):
    """Return the file's text: JSON, a finding, a reading and a node a line."""
    header = {'format': FORMAT, 'version': VERSION, 'time': run.time, 'counts': run.counts}
    lines = [' %s: %s' % (json.dumps(key), json.dumps(value)) for key, value in header.items()]
    for key, things in (('findings', run.findings), ('readings', run.readings), ('facts', run.facts)):
        lines.append(' %s: [\n%s\n ]' % (json.dumps(key), ',\n'.join('  ' + compact(thing) for thing in things)))
    nodes = ',\n'.join(
        '  %s: %s' % (json.dumps(name), compact(describe_node(node))) for name, node in sorted(run.nodes.items())
    )
    return '{\n%s,\n "nodes": {\n%s\n }\n}\n' % (',\n'.join(lines), nodes)


def compact(thing):
    return json.dumps(thing, sort_keys=True, separators=(',', ':'))


def describe_node(node):
    """Return a Node as plain data, without what says nothing."""
    return {key: value for key, value in node._asdict().items() if value or value == 0}


def parse_run(text, path):
    """Return the Run of a file's text. ``path`` names the file in errors. Raises MsrSafeError."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MsrSafeError(
            '%s is damaged: it is not whole JSON (%s).' % (path, error), 'Remove it, or take it from a backup.'
        ) from error
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise MsrSafeError('%s is not a run of an audit.' % path, 'Give a file that hpc.msr_safe.audit wrote.')
    if content.get('version') != VERSION:
        raise MsrSafeError(
            '%s is a run of format version %s; this release reads version %d.'
            % (path, content.get('version'), VERSION),
            'Use the release of hpc.msr_safe that wrote it, or a newer one.',
        )
    try:
        return parse_content(content)
    except MsrSafeError as error:
        raise MsrSafeError('%s is malformed: %s' % (path, error.problem), 'Take it from a backup.') from error
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise MsrSafeError('%s is malformed: %s.' % (path, error), 'Take it from a backup.') from error


def parse_content(content):
    readings = list(content['readings'])
    for address, values, errors in readings:
        for number in [address, *values]:
            int(number, 16)
        for cpus in [*values.values(), *errors.values()]:
            parse_cpulist(cpus)
    nodes = {name: parse_node(node, len(readings), content['facts']) for name, node in content['nodes'].items()}
    run = Run(str(content['time']), readings, content['facts'], nodes, content['findings'], dict(content['counts']))
    moment_of(run)  # Raises where findings or counts are not those of an audit
    return run


def parse_node(node, readings, facts):
    parsed = Node(
        node.get('failure'),
        node.get('facts'),
        str(node.get('registers', '')),
        node.get('equal', {}),
        node.get('policy', []),
        [{key: str(each[key]) for key in ('what', 'why', 'since')} for each in node.get('deferred', [])],
    )
    indexes = unfold_indexes(parsed.registers)
    if indexes and max(indexes) >= readings:
        raise ValueError('it has no reading %d' % max(indexes))
    if parsed.failure is None:
        cpus_of(facts[parsed.facts])
        group_key(facts[parsed.facts], parsed.equal)
    return parsed
