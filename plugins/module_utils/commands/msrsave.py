# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""msrsave: save a node's registers to a file, and restore them from it."""

import argparse
import json
import sys

from ..access.lock import PATIENCE, locked
from ..access.registers import slowness
from ..access.write import describe_row, render_problems, summarize_problems, summarize_writes
from ..approved_lists.approved_list import KINDS
from ..hardware.cpu import SELECTIONS
from ..machine import Machine
from ..snapshots.restore import ACCEPTABLE, doubts, foresee, plan_restore, read_snapshot, restore, summarize
from ..snapshots.save import plan_save, save, take_snapshot
from ..snapshots.selection import CONFIGURATION, EVERYTHING
from ..snapshots.snapshot import summarize_unreadable
from ..version import VERSION
from .command import counted, exit_status, say

EXAMPLES = """
examples:
  msrsave /var/lib/msr-safe/clean       save every writable register of every CPU
  msrsave -r /var/lib/msr-safe/clean    write back what differs since then
  msrsave -r -n /var/lib/msr-safe/clean say what that would write
  msrsave -r --register PKG_POWER_LIMIT --cpus one_per_die /var/lib/msr-safe/clean

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
    parser.add_argument('--json', action='store_true', help='print JSON, for programs')
    parser.add_argument('--version', action='version', version='%(prog)s ' + VERSION)

    selecting = parser.add_argument_group('what')
    selecting.add_argument(
        '--register', action='append', default=[], metavar='REGISTER', help='only this: a name or an address'
    )
    selecting.add_argument(
        '--kind',
        action='append',
        default=[],
        choices=KINDS,
        help='only registers of this kind (default: saving, all; restoring, configuration and governed)',
    )
    selecting.add_argument(
        '--cpus', default='all', metavar='CPUS', help='0-3,8, or one of: %s (default: all)' % ', '.join(SELECTIONS)
    )
    selecting.add_argument('--read-only', action='store_true', help='also save registers that cannot be written')

    handling = parser.add_argument_group('how')
    handling.add_argument(
        '--backup', type=int, default=0, metavar='N', help='keep the last N snapshots as FILE.1 to FILE.N'
    )
    handling.add_argument(
        '--overwrite', action='store_true', help="save over what is not this node's unchanged snapshot"
    )
    handling.add_argument(
        '--accept',
        action='append',
        default=[],
        choices=[word.replace('_', '-') for word in ACCEPTABLE],
        help='restore although the snapshot is of another CPU model, was edited, or holds bits '
        'that the active list no longer lets you write',
    )
    handling.add_argument(
        '--allow-partial', action='store_true', help='exit status 0 also where registers could not be read or written'
    )
    handling.add_argument(
        '--lock-timeout',
        type=float,
        default=PATIENCE,
        metavar='SECONDS',
        help='how long to wait for another save or restore on this node (default: %d)' % PATIENCE,
    )
    return parser


def main(arguments=None, machine=None):
    """Run the command and return its exit status."""
    options = build_parser().parse_args(arguments)
    return exit_status('msrsave', run, machine or Machine(), options)


def run(machine, options):
    """Save or restore while nobody else does; return the exit status."""
    with locked(machine, 'msrsave', options.lock_timeout):
        warning = slowness(machine)
        if warning:
            say('msrsave: warning: %s\n' % warning, sys.stderr)
        data, text, problems = (restore_from if options.restore else save_to)(machine, options)
    say(json.dumps(data, indent=2) + '\n' if options.json else text)
    if problems and not options.json:
        say(problems, sys.stderr)
    return 3 if problems and not options.allow_partial else 0


def selection(options, default):
    """Return the Selection that the options ask for."""
    return default._replace(
        registers=options.register,
        kinds=options.kind or default.kinds,
        cpus=options.cpus,
        read_only=options.read_only,
    )


def save_to(machine, options):
    """Save, and return (data, text, what could not be read in words)."""
    selected = selection(options, EVERYTHING)
    snapshot = take_snapshot(machine, selected)
    before, after = plan_save(machine, options.file, snapshot, options.overwrite, selected)
    if before != after and not options.dry_run:
        save(machine, options.file, after, options.backup)
    unreadable = summarize_unreadable(snapshot)
    count, cpus = len(snapshot['registers']), snapshot['cpus']
    verb = 'unchanged' if before == after else 'would be saved' if options.dry_run else 'saved'
    data = {
        'changed': before != after,
        'path': options.file,
        'registers': count,
        'cpus': cpus,
        'unreadable': unreadable,
    }
    text = '%s: %s of CPUs %s %s\n' % (options.file, counted(count, 'register'), cpus, verb)
    lines = 'msrsave: not readable:\n%s\n' % render_problems(unreadable) if unreadable else ''
    return data, text, lines


def restore_from(machine, options):
    """Restore, and return (data, text, what could not be restored in words)."""
    accept = [word.replace('-', '_') for word in options.accept]
    snapshot = read_snapshot(machine, options.file, accept)
    restored = plan_restore(machine, snapshot, accept, selection(options, CONFIGURATION))
    for doubt in doubts(machine, snapshot):
        say('msrsave: warning: %s\n' % doubt, sys.stderr)
    restored = foresee(machine, restored) if options.dry_run else restore(machine, restored)
    rows, problems = summarize_writes(restored.writes), summarize_problems(restored.problems)
    overruled = summarize_problems(restored.overruled)
    data = {
        'changed': bool(rows),
        'path': options.file,
        'summary': summarize(restored),
        'restored': rows,
        'problems': problems,
        'overruled': overruled,
    }
    for row in [] if options.json else overruled:
        say('msrsave: note: %s on CPU %s: %s\n' % (describe_row(row), row['cpus'], row['error']), sys.stderr)
    lines = 'msrsave: not restored:\n%s\n' % render_problems(problems) if problems else ''
    return data, restored_text(options, rows, problems, len(restored.registers)), lines


def restored_text(options, rows, problems, compared):
    """Return what was restored in words, a line for each register and value. compared: how many registers were."""
    if not rows and not problems:
        return '%s: %s\n' % (options.file, nothing_restored(compared, 'narrower-list' in options.accept))
    return ''.join(
        '%s  %s -> %s  on CPU %s\n' % (describe_row(row), row['before'], row['after'], row['cpus']) for row in rows
    )


def nothing_restored(compared, is_narrower):
    """Return in words why nothing was restored. is_narrower: whether some may have been left out for the list."""
    if not compared:
        return 'nothing was compared: no register that is selected may be written'
    if is_narrower:
        return 'what the active list lets be written holds what was saved (%s)' % counted(compared, 'register')
    return 'every register holds what was saved'
