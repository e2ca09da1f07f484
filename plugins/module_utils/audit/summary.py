# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The summary of an audit in a terminal: how many, what, and what to do."""

import collections
import shlex
import textwrap

from .category import BY_NAME, RANKS, STATES
from .facts import FACTS
from .finding import SOURCES
from .nodeset import fold_names

TITLES = {
    'down': 'no answer',
    'missing': 'without msr-safe',
    'drift': 'drifted',
    'notice': 'other differences',
    'unchecked': 'not checked',
    'ok': 'as they should be',
}

# Playbook -> what is said of it
REPAIRS = collections.OrderedDict(
    [
        ('site', 'The role brings back what it is for; see first what it would do:'),
        ('restore', 'Registers come back from a snapshot, where one was saved; see first what that would do:'),
    ]
)

# Findings of one category that are shown; all are on the page and in findings.json
SHOWN = 10


def summarize(comparison, run, files, options='', width=100):
    """Return the summary. files: {'page', 'limit'}: paths, None where they were not written.

    options: those that name the inventory, for the commands.
    """
    parts = [headline(comparison, run), '', counts_table(comparison)]
    if comparison.findings:
        parts += ['', 'What costs most comes first:', *finding_lines(comparison, width)]
    for text, nodes in comparison.notes:
        parts += ['', wrap('%s (%s)' % (text, fold_names(nodes)), width)]
    if files.get('page'):
        parts += ['', 'The page: %s' % files['page']]
    parts += ['', 'What to do', *todo(comparison, files, options, width)]
    return '\n'.join(parts)


def headline(comparison, run):
    total, fine = len(comparison.states), comparison.counts['ok']
    unchecked = comparison.counts['unchecked']
    if fine == total:
        return 'All %s nodes are as they should be (%s).' % (spell_count(total), run.time)
    differ = total - fine - unchecked
    words = '%s of %s nodes %s' % (spell_count(differ), spell_count(total), 'differs' if differ == 1 else 'differ')
    if unchecked:
        words += ', %s could not be checked' % spell_count(unchecked)
    return '%s (%s).' % (words, run.time)


def spell_count(number):
    return '{:,}'.format(number)


def counts_table(comparison):
    return '\n'.join(
        '%8d  %s' % (comparison.counts[state], TITLES[state]) for state in reversed(STATES) if comparison.counts[state]
    )


def finding_lines(comparison, width):
    lines = []
    for category in sorted({finding.category for finding in comparison.findings}, key=RANKS.get):
        findings = [finding for finding in comparison.findings if finding.category == category]
        lines += ['', '  %s' % BY_NAME[category].title.upper()]
        for finding in findings[:SHOWN]:
            lines.append(finding_line(finding, width))
        if len(findings) > SHOWN:
            lines.append('    … and %d more' % (len(findings) - SHOWN))
    return lines


def finding_line(finding, width):
    """Return a finding: the nodes first, what it was compared with where that is not plain."""
    text = finding.text
    if finding.source in ('policy', 'baseline'):
        text += ' (%s)' % SOURCES[finding.source]
    head = shorten(fold_names(finding.nodes), width // 2) + ('  ' + finding.title if finding.title else '')
    return '%6d  %s\n%s' % (
        len(finding.nodes),
        head,
        textwrap.fill(text, width, initial_indent=' ' * 10, subsequent_indent=' ' * 12, break_long_words=False),
    )


def shorten(text, width):
    return text if len(text) <= width else text[: width - 1] + '…'


def wrap(text, width):
    return textwrap.fill(text, width, subsequent_indent='  ', break_long_words=False, break_on_hyphens=False)


def todo(comparison, files, options, width):
    """Return what to do, the commands on lines of their own."""
    of_state = {state: names_in(comparison, state) for state in STATES}
    steps = [(REPAIRS[name], command) for name, command in repairs(comparison, files, options)]
    if of_state['down']:
        steps.append(('Bring up, then audit again: %s.' % fold_names(of_state['down']), None))
    if of_state['notice']:
        steps.append(('Kernel, firmware and other differences are not for the role: update those nodes.', None))
    if of_state['unchecked']:
        steps.append(('Say what nodes without an equal should hold: a policy, or a baseline.', None))
    if not steps:
        return ['  Nothing.']
    lines = []
    for number, (text, command) in enumerate(steps, 1):
        lines.append(
            textwrap.fill(
                text,
                width,
                initial_indent='  %d. ' % number,
                subsequent_indent='     ',
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
        if command:
            lines.append('       ' + command)
    return lines


def repairs(comparison, files, options=''):
    """Return [(name of a playbook that brings nodes back, the command that says first what it would do)]."""
    if not files.get('limit'):
        return []
    limit = options + '--limit ' + shlex.quote('@' + files['limit'])
    helps = {'site': is_for_role, 'restore': is_for_restore}
    return [
        (name, 'ansible-playbook hpc.msr_safe.%s %s --check --diff' % (name, limit))
        for name in REPAIRS
        if any(map(helps[name], comparison.findings))
    ]


def names_in(comparison, state):
    return [name for name, its in comparison.states.items() if its == state]


def is_for_role(finding):
    """Return whether the role msr_safe undoes a difference."""
    return finding.category in ('missing', 'list', 'deferred') or finding.source == 'policy'


def is_for_restore(finding):
    """Return whether a register has drifted of which no policy says what it should hold."""
    is_register = bool(finding.subject) and finding.subject not in FACTS
    return is_register and BY_NAME[finding.category].state == 'drift' and finding.source != 'policy'


def repairable(comparison):
    """Return the nodes that the role or a snapshot can bring back: those that answer."""
    return names_in(comparison, 'missing') + names_in(comparison, 'drift')
