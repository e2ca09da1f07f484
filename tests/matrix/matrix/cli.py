# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line."""

import argparse
import subprocess
import sys

from fleet.errors import FleetError
from fleet.fleet import Fleet
from fleet.guard import down_at_our_end
from fleet.interrupt import Interrupted, raise_on_signals
from results import write_page

from matrix.kernels import read_kernels
from matrix.module import ROOT
from matrix.report import render
from matrix.trial import Trial


def main():
    """Run one command; returns the exit code."""
    raise_on_signals()
    arguments = _parser().parse_args()
    try:
        trials = [Trial(kernel, only=getattr(arguments, 'only', '')) for kernel in read_kernels(arguments.kernels)]
        arguments.run(trials, arguments)
    except (FleetError, OSError, subprocess.CalledProcessError) as error:
        print(f'kernels: {error}', file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print(f'kernels: {interrupted}', file=sys.stderr)
        return interrupted.exit_code
    if arguments.run is _ready:
        return 0
    print(f'\n{render(trials)}')
    return 0 if all(trial.is_good for trial in trials) else 1


def _ready(trials, _arguments):
    for trial in trials:
        trial.kernel.make_ready()


def _compile(trials, _arguments):
    for trial in trials:
        trial.run(fleet=None)


def _test(trials, arguments):
    fleet = Fleet(arguments.state, arguments.timeout)
    with down_at_our_end(fleet):
        for trial in trials:
            trial.run(fleet)
    if arguments.page:
        print(write_page('kernels', 'The module on every kernel', 'make test-kernels', render(trials)))


def _parser():
    parser = argparse.ArgumentParser(prog='kernels', description='The module on each kernel of kernels.yml.')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    def add(name, run, text):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument('kernels', metavar='KERNEL', nargs='*', help='only these')
        return command

    add('ready', _ready, 'make what the others need of the kernels, unless it is in the cache')
    add('compile', _compile, 'compile the module, warnings being errors')
    test = add('test', _test, 'compile the module, and run the interface tests on a node that boots the kernel')
    test.add_argument('--state', metavar='DIR', default=ROOT / 'build/fleet/kernels', help='directory of the fleet')
    test.add_argument(
        '--timeout', metavar='SECONDS', type=float, default=1800, help='for a node to boot (default: 1800)'
    )
    test.add_argument('--only', metavar='EXPRESSION', default='', help="these tests, as pytest's -k has it")
    test.add_argument('--page', action='store_true', help='write the result to docs/results/kernels.md')
    return parser
