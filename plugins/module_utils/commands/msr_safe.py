# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""msr-safe: the approved list of a node."""

import argparse

from ..active_list import activate_list, read_named_list
from ..approved_list import digest_list, read_list, render_list
from ..machine import Machine
from ..version import VERSION
from .command import exit_status, say


def build_parser():
    parser = argparse.ArgumentParser(
        prog='msr-safe',
        description='Show and activate the list of registers that users of this node may access.',
    )
    parser.add_argument('--version', action='version', version='%(prog)s ' + VERSION)
    commands = parser.add_subparsers(dest='command', metavar='COMMAND')
    loading = commands.add_parser('load', help='make the list in FILE the active one')
    loading.add_argument('file', metavar='FILE', help='address, write mask, # name; a line each register')
    loading.set_defaults(run=load)
    showing = commands.add_parser('show', help='print the active list')
    showing.set_defaults(run=show)
    return parser


def main(arguments=None, machine=None):
    """Run the command and return its exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    machine = machine or Machine()
    if options.command is None:
        parser.print_help()
        return 2
    return exit_status('msr-safe', options.run, machine, options)


def load(machine, options):
    entries = read_list(machine, options.file)
    activate_list(machine, entries)
    say('%s: %d registers approved (sha256 %.16s)\n' % (options.file, len(entries), digest_list(entries)))
    return 0


def show(machine, _options):
    say(render_list(read_named_list(machine)))
    return 0
