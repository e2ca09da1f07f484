# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""msr-safe policy: what the registers of this node are to hold, where they do not, and making them."""

import argparse
import json

from ..hardware.cpu import read_cpu
from ..layout import POLICY
from ..policy.application import apply_policy, plan_policy, require_taken
from ..policy.policy_file import read_policy
from ..registers.of_cpu import registers_of
from ..settings.setting import render_changes, summarize_changes
from .command import say

DESCRIPTION = (
    """\
Compare the registers with the policy of this node (%s), which the Ansible role hpc.msr_safe.msr_safe wrote.
With apply, make them hold it: msr-safe.service does that at boot.
"""
    % POLICY
)
EXAMPLES = """
exit status:
  0  the registers hold the policy, or there is none
  1  it cannot be had, or an error
  3  show: registers differ from it
"""


def add_policy(commands):
    """Add the command to those of msr-safe."""
    command = commands.add_parser(
        'policy',
        help='compare registers with the policy of this node, or make them hold it',
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument('action', choices=('show', 'apply'), nargs='?', default='show', help='default: show')
    command.add_argument('--json', action='store_true', help='print JSON, for programs')
    command.set_defaults(run=run)


def run(machine, options):
    statements = read_policy(machine)
    is_check = options.action == 'show'
    rows, notes = [], []
    if statements:
        plan, notes = (plan_policy if is_check else apply_policy)(machine, statements, registers_of(read_cpu(machine)))
        rows = summarize_changes(plan)
        require_taken(plan)
    if options.json:
        say(json.dumps({'policy': statements is not None, 'changes': rows, 'notes': notes}, indent=2) + '\n')
    else:
        say(in_words(statements, rows, notes, is_check))
    return 3 if rows and is_check else 0


def in_words(statements, rows, notes, is_check):
    """Return what was found, or done, for people."""
    if statements is None:
        return 'This node has no policy (%s).\n' % POLICY
    text = ''.join(note + '\n' for note in notes)
    if not rows:
        return text + 'The registers hold the policy.\n'
    return text + '%s\n%s%s\n%s' % (
        'Differ from the policy:' if is_check else 'Held until now:',
        render_changes(rows, 'before'),
        'It says:' if is_check else 'Hold now:',
        render_changes(rows, 'after'),
    )
