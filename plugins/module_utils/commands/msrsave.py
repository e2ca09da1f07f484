# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""msrsave: save a node's registers to a file, and restore them from it."""

import argparse
import sys

from ..machine import Machine
from ..restore import ACCEPTABLE, carried_out, plan_restore, read_snapshot, render_problems, restore, summarize_writes
from ..save import plan_save, save, take_snapshot
from ..snapshot import summarize_unreadable
from ..version import VERSION
from .command import exit_status, say

EXAMPLES = """
examples:
  msrsave /var/lib/msr-safe/clean       save every writable register of every CPU
  msrsave -r /var/lib/msr-safe/clean    write back what differs since then
  msrsave -r -n /var/lib/msr-safe/clean say what that would write

exit status:
  0  done, or nothing to do
  1  refused: nothing was changed
  2  the command line is wrong
  3  done, but for the registers named
"""


def build_parser():
    parser = argparse.ArgumentParser(
        prog='msrsave',
        description="Save a node's model-specific registers to a file, and restore them from it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('file', metavar='FILE', help='the snapshot (JSON)')
    parser.add_argument('-r', '--restore', action='store_true', help='restore from FILE instead of saving to it')
    parser.add_argument('-n', '--dry-run', action='store_true', help='say what would be done, and do nothing')
    parser.add_argument('--volatile', action='store_true', help='also restore counters and status registers')
    parser.add_argument(
        '--accept',
        action='append',
        default=[],
        choices=[word.replace('_', '-') for word in ACCEPTABLE],
        help='restore although the snapshot is of another CPU model, was edited, or holds bits '
        'that the active list no longer lets you write',
    )
    parser.add_argument('--version', action='version', version='%(prog)s ' + VERSION)
    return parser


def main(arguments=None, machine=None):
    """Run the command and return its exit status."""
    options = build_parser().parse_args(arguments)
    machine = machine or Machine()
    return exit_status('msrsave', restore_from if options.restore else save_to, machine, options)


def save_to(machine, options):
    snapshot = take_snapshot(machine)
    before, after = plan_save(machine, options.file, snapshot)
    if before != after and not options.dry_run:
        save(machine, options.file, after)
    verb = 'unchanged' if before == after else 'would be saved' if options.dry_run else 'saved'
    say(
        '%s: %d registers of CPUs %s %s\n'
        % (
            options.file,
            len(snapshot['registers']),
            snapshot['cpu']['online'],
            verb,
        )
    )
    unreadable = summarize_unreadable(snapshot)
    for row in unreadable:
        say('msrsave: not readable: %(address)s %(name)s on CPU %(cpus)s: %(error)s\n' % row, sys.stderr)
    return 3 if unreadable else 0


def restore_from(machine, options):
    accept = [word.replace('-', '_') for word in options.accept]
    snapshot = read_snapshot(machine, options.file, accept)
    writes, problems = plan_restore(machine, snapshot, accept, options.volatile)
    if not options.dry_run:
        problems = problems + restore(machine, writes)
    for row in summarize_writes(carried_out(writes, problems)):
        say('%(address)s %(name)s  %(before)s -> %(after)s  on CPU %(cpus)s\n' % row)
    if problems:
        say('msrsave: not restored:\n%s\n' % render_problems(problems), sys.stderr)
        return 3
    if not writes:
        say('%s: every register holds what was saved\n' % options.file)
    return 0
