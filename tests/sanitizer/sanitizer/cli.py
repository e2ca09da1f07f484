# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line."""

import argparse
import subprocess
import sys

from fleet.errors import FleetError
from fleet.fleet import Fleet
from fleet.guard import down_at_our_end
from fleet.interrupt import Interrupted, raise_on_signals
from matrix.module import ROOT
from results import table, write_page

from sanitizer.kernel import ready_kernel
from sanitizer.lane import STAGES, Lane


def main():
    """Run the lane; returns the exit code."""
    raise_on_signals()
    arguments = _parser().parse_args()
    minutes = {name: getattr(arguments, name) for name in ('race', 'fuzz', 'reload')}
    fleet = Fleet(ROOT / 'build/fleet/sanitizer', timeout=3600)
    stages = []
    try:
        with down_at_our_end(fleet):
            for stage in Lane(fleet, ready_kernel(), arguments.only).run(arguments.stages or STAGES, minutes):
                print(_render([stage]), flush=True)
                stages.append(stage)
    except (FleetError, OSError, subprocess.CalledProcessError) as error:
        print(f'sanitizer: {error}', file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print(f'sanitizer: {interrupted}', file=sys.stderr)
        return interrupted.exit_code
    report = _render(stages)
    if arguments.page:
        print(write_page('sanitizers', 'The module under sanitizers', 'make test-kasan', report))
    print(f'\n{report}')
    return 0 if all(stage.is_good for stage in stages) else 1


def _render(stages):
    header = ['stage', 'result', 'kernel complaints', 'minutes', 'what it did']
    rows = [
        [
            stage.name,
            'FAILED' if stage.failed else 'passed',
            len(stage.complaints),
            f'{stage.seconds / 60:.1f}',
            stage.summary,
        ]
        for stage in stages
    ]
    complaints = [f'- {stage.name}: {line}' for stage in stages for line in stage.complaints]
    return '\n'.join([table(header, rows), *complaints])


def _parser():
    parser = argparse.ArgumentParser(prog='sanitizer', description='The kernel module under attack.')
    parser.add_argument('stages', metavar='STAGE', nargs='*', help=f'only these of {", ".join(STAGES)}')
    for name, minutes in (('race', 10), ('fuzz', 5), ('reload', 1)):
        help_text = f'how long the {name} takes (default: {minutes})'
        parser.add_argument(f'--{name}', metavar='MINUTES', type=float, default=minutes, help=help_text)
    parser.add_argument('--only', metavar='EXPRESSION', default='', help="of the contract these tests, as pytest's -k")
    parser.add_argument('--page', action='store_true', help='write the result to docs/results/sanitizers.md')
    return parser
