# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The results of an audit for other programs: JSON, JUnit's XML, Prometheus' textfile."""

import calendar
import json
import time
from xml.sax.saxutils import escape, quoteattr

from .category import CATEGORIES, STATES
from .finding import SOURCES, describe_finding
from .kept import RFC3339
from .nodeset import fold_names, natural

FORMAT = 'hpc.msr_safe findings'
VERSION = 1

# What XML 1.0 cannot hold at all
NOT_XML = {code: '?' for code in range(32) if code not in (9, 10, 13)}


def findings_json(comparison, run):
    """Return the findings as JSON (docs/audit.md)."""
    content = {
        'format': FORMAT,
        'version': VERSION,
        'time': run.time,
        'counts': comparison.counts,
        'groups': [group.title for group in comparison.groups],
        'findings': [describe_finding(finding) for finding in comparison.findings],
        'not_checked': [{'text': text, 'nodes': fold_names(nodes)} for text, nodes in comparison.notes],
    }
    return json.dumps(content, indent=1) + '\n'


def junit_xml(comparison, run):
    """Return JUnit's XML: a test case for each node."""
    of_node = {}
    for finding in comparison.findings:
        for name in finding.nodes:
            of_node.setdefault(name, []).append(finding)
    cases = [
        test_case(name, comparison.states[name], of_node.get(name, []))
        for name in sorted(comparison.states, key=natural)
    ]
    counts = comparison.counts
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<testsuite name="hpc.msr_safe audit" timestamp=%s tests="%d" errors="%d" failures="%d" skipped="%d">\n'
        '%s</testsuite>\n'
        % (
            quoteattr(run.time.rstrip('Z')),
            len(cases),
            counts['down'],
            counts['missing'] + counts['drift'] + counts['notice'],
            counts['unchecked'],
            ''.join(cases),
        )
    )


def test_case(name, state, findings):
    """Return one node's test case: a node that is down is an error, one that was not checked is skipped."""
    head = '  <testcase classname="hpc.msr_safe.audit" name=%s' % quoteattr(name.translate(NOT_XML))
    if state == 'ok':
        return head + '/>\n'
    if state == 'unchecked':
        return head + '><skipped message="there is nothing to compare it with"/></testcase>\n'
    text = '\n'.join(with_source(finding) for finding in findings).translate(NOT_XML)
    element = 'error' if state == 'down' else 'failure'
    message = quoteattr(findings[0].text.translate(NOT_XML))
    return '%s><%s type=%s message=%s>%s</%s></testcase>\n' % (
        head,
        element,
        quoteattr(state),
        message,
        escape(text),
        element,
    )


def with_source(finding):
    """Return a finding's text with what it was compared with."""
    return finding.text + (' (%s)' % SOURCES[finding.source] if SOURCES[finding.source] else '')


def prometheus_text(comparison, run):
    """Return metrics for node_exporter's textfile collector: all states, and the nodes that are not ok."""
    when = calendar.timegm(time.strptime(run.time, RFC3339))
    lines = [
        *metric('msr_safe_audit_time_seconds', 'When the audit was.', [('', when)]),
        *metric(
            'msr_safe_audit_nodes',
            'Nodes in a state.',
            [(label(state=state), comparison.counts[state]) for state in STATES],
        ),
        *metric(
            'msr_safe_audit_category_nodes',
            'Nodes with a finding of a category.',
            [(label(category=each.name), nodes_with(comparison, each.name)) for each in CATEGORIES],
        ),
        *metric(
            'msr_safe_audit_node',
            'Nodes that are not as they should be, 1 each.',
            [(label(node=name, state=state), 1) for name, state in sorted(comparison.states.items()) if state != 'ok'],
        ),
    ]
    return '\n'.join(lines) + '\n'


def nodes_with(comparison, category):
    return len({name for finding in comparison.findings if finding.category == category for name in finding.nodes})


def metric(name, text, samples):
    return [
        '# HELP %s %s' % (name, text),
        '# TYPE %s gauge' % name,
        *('%s%s %d' % (name, labels, value) for labels, value in samples),
    ]


def label(**labels):
    """Return labels as Prometheus writes them."""
    return '{%s}' % ','.join(
        '%s="%s"' % (name, value.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n'))
        for name, value in sorted(labels.items())
    )
