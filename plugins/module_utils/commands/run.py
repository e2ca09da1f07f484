# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""msr-safe run: a command runs with some registers set, and whatever ends it, they are as before."""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys

from ..access.lease import Lease
from ..access.write import carry_out_writes, render_problems, summarize_problems
from ..errors import MsrSafeError, for_all
from ..hardware.cpu import SELECTIONS, read_cpu
from ..registers.of_cpu import registers_of
from ..registers.units import split_quantity
from ..settings.setting import plan_settings, render_changes, summarize_changes
from .command import say

DESCRIPTION = """\
Run a command with some registers set. Whatever ends it, kill -9 or lack of memory too, the kernel module brings back
the bits that were changed. The exit status is the command's, or 128 and the number of the signal that ended it.
"""
EXAMPLES = """
examples:
  msr-safe run --set PKG_POWER_LIMIT.PL1_POWER_LIMIT=180W --cpus one_per_package -- ./simulate
  msr-safe run --set MISC_ENABLE.TURBO_MODE_DISABLE=on -- make bench
  msr-safe run --set 0x1A4=0xF -- ./stream           the whole register
  msr-safe run --set 0x1A0=0x4000000000/0x4000000000 -- ./stream     the bits of a mask

The registers have to be writable on the active list (msr-safe show), and the user in the group of /dev/cpu/msr_batch.
"""

# REGISTER, REGISTER.FIELD; then = and a value with a unit, or a value and a mask
ASSIGNMENT = re.compile(r'(?P<register>[^.=]+)(?:\.(?P<field>[^=]+))?=(?P<value>[^/]+)(?:/(?P<mask>.+))?\Z')

# What is sent to us is meant for the command.
FORWARDED = ('SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGALRM', 'SIGWINCH')
# The terminal sends these to the command, too.
OF_THE_TERMINAL = ('SIGINT', 'SIGQUIT')


def add_run(commands):
    """Add the command to those of msr-safe."""
    command = commands.add_parser(
        'run',
        help='run a command with registers set, that come back whatever ends it',
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        '--set',
        metavar='REGISTER.FIELD=VALUE[UNIT]',
        action='append',
        required=True,
        dest='assignments',
        help='what a field (or a register, or bits of it) is to hold meanwhile; may be given several times',
    )
    command.add_argument(
        '--cpus', default='all', help='CPUs to set it on: %s, or a list as 0-3,8 (default: all)' % ', '.join(SELECTIONS)
    )
    command.add_argument('--verbose', '-v', action='store_true', help='say what is changed')
    command.add_argument('program', metavar='COMMAND', nargs=argparse.REMAINDER, help='after --: what to run')
    command.set_defaults(run=run)


def run(machine, options):
    """Set registers under a lease, run the command, and return its exit status."""
    program = options.program[1:] if options.program[:1] == ['--'] else options.program
    if not program:
        raise MsrSafeError('There is no command to run.', 'Name it behind --: msr-safe run --set … -- COMMAND')
    settings = for_all(options.assignments, lambda text: parse_assignment(text, options.cpus))
    plan = plan_settings(machine, settings, registers_of(read_cpu(machine)))
    require_no_problems(plan.problems)
    lease = Lease(machine, capacity=len(plan.writes))
    try:
        require_no_problems(carry_out_writes(machine, plan.writes, lease.write_registers))
        if options.verbose:
            say(render_changes(summarize_changes(plan), 'after'), sys.stderr)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # Inherited as ignored, the kernel keeps no exit status
        return wait_for(start(program))
    finally:
        lease.close()


def parse_assignment(text, cpus):
    """Return the options of a setting that --set says. Raises MsrSafeError."""
    match = ASSIGNMENT.match(text)
    if not match:
        raise MsrSafeError(
            '--set %s is not REGISTER=VALUE, nor REGISTER.FIELD=VALUE.' % text,
            'Write for example: --set PKG_POWER_LIMIT.PL1_POWER_LIMIT=180W',
        )
    parts = match.groupdict()
    value, unit = split_quantity(parts['value']) if parts['field'] else (parts['value'].strip(), None)
    return dict(parts, value=value, unit=unit, cpus=cpus)


def require_no_problems(problems):
    """Raise MsrSafeError that says every Problem: then the command does not run."""
    if problems:
        raise MsrSafeError(
            'Not set:\n' + render_problems(summarize_problems(problems)),
            'The command was not started; what was set is as before.',
        )


def start(program):
    """Return the started command. It does not inherit the lease, which ends when we do. Raises MsrSafeError."""
    ours = os.getpid()
    try:
        return subprocess.Popen(program, close_fds=False, preexec_fn=lambda: end_with(ours))
    except OSError as error:
        raise MsrSafeError('Cannot run %s: %s.' % (program[0], error.strerror)) from error


def end_with(parent):
    """Have the kernel ask this process to end if its parent is killed: it would go on with other registers."""
    import ctypes  # Takes long to load, and most calls of msr-safe need none

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # Killed before that
        os._exit(1)


def wait_for(process):
    """Return the exit status of a started command, passing on what is sent to us."""
    for name in OF_THE_TERMINAL:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    for name in FORWARDED:
        signal.signal(getattr(signal, name), lambda number, _frame: pass_on(process, number))
    status = process.wait()
    return status if status >= 0 else 128 - status


def pass_on(process, number):
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
