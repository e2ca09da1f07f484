# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""msr-safe run: a command runs with some registers set, and whatever ends it, they are as before."""

import argparse
import contextlib
import errno
import os
import re
import signal
import subprocess
import sys
import time

from ..access.lease import Lease
from ..access.write import carry_out_writes, describe_address, render_problems, summarize_problems
from ..errors import MsrSafeError, for_all
from ..hardware.cpu import SELECTIONS, read_cpu
from ..registers.of_cpu import registers_of
from ..registers.units import split_quantity
from ..settings.setting import plan_settings, render_changes, summarize_changes
from .command import exit_status, say

DESCRIPTION = """\
Run a command with some registers set. Whatever ends it, kill -9 or lack of memory too, the kernel module brings back
the bits that were changed.
"""
EXAMPLES = """
examples:
  msr-safe run --set PKG_POWER_LIMIT.PL1_POWER_LIMIT=180W --cpus one_per_package -- ./simulate
  msr-safe run --set MISC_ENABLE.TURBO_MODE_DISABLE=on -- make bench
  msr-safe run --set 0x1A4=0xF -- ./stream           the whole register
  msr-safe run --set 0x1A0=0x4000000000/0x4000000000 -- ./stream     the bits of a mask

The registers have to be writable on the active list (msr-safe show), and the user in the group of /dev/cpu/msr_batch.

exit status, as of env(1) and timeout(1):
  125    msr-safe itself could not do it: a register was refused, the command line is wrong; the command was not started
  126    the command is there, but cannot be executed
  127    there is no such command
  128+n  signal n ended the command
  else   the command's
"""

SHELL = '/bin/sh'

# Others may begin or end with other bits of the same registers at the same moment: then it is done once more.
ATTEMPTS = 100
PAUSE = 0.01

CANNOT_SET, CANNOT_EXECUTE, NOT_FOUND = 125, 126, 127

# What fork(2) ends in, too: the fault is not the command's
OF_FORK = (errno.EAGAIN, errno.ENOMEM)

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

    def refuse(message):
        command.print_usage(sys.stderr)
        command.exit(CANNOT_SET, '%s: error: %s\n' % (command.prog, message))

    command.error = refuse
    command.set_defaults(run=run, refuse=refuse)


class NotExecuted(Exception):
    """A command that could not be executed: the exit status that says so, and why in words."""


def run(machine, options):
    """Set registers under a lease, run the command, and return its exit status, or one of ours."""
    try:
        return exit_status('msr-safe', run_with_registers, machine, options, failure=CANNOT_SET)
    except NotExecuted as error:
        status, why = error.args
        say('msr-safe: %s\n' % why, sys.stderr)
        return status


def run_with_registers(machine, options):
    program = options.program[1:] if options.program[:1] == ['--'] else options.program
    if not program:
        raise MsrSafeError('There is no command to run.', 'Name it behind --: msr-safe run --set … -- COMMAND')
    path = find_executable(program[0])
    settings = for_all(options.assignments, lambda text: parse_assignment(text, options.cpus))
    registers = registers_of(read_cpu(machine))
    for _attempt in range(ATTEMPTS):
        plan = plan_settings(machine, settings, registers)
        require_no_problems(plan.problems)
        lease = Lease(machine, capacity=len(plan.writes))
        try:
            problems = carry_out_writes(machine, plan.writes, lease.write_registers)
            changed = lease.changed_meanwhile(plan.writes)
            if not changed:
                require_no_problems(problems)
                if options.verbose:
                    say(render_changes(summarize_changes(plan), 'after'), sys.stderr)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # Inherited as ignored, the kernel keeps no exit status
                return wait_for(start(path, program))
        finally:
            lease.close()
        time.sleep(PAUSE)
    raise MsrSafeError(
        'Not set: others change %s all the time.' % describe_address(changed[0].address, changed[0].name),
        'The command was not started. Find out who does: the tracepoints of the kernel module tell (msr_safe_write).',
    )


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


def find_executable(name):
    """Return the file that execvp(3) would execute for the name of a command. Raises NotExecuted.

    It is looked for before anything is set.
    """
    if '/' in name:
        paths = [name]
    else:
        paths = [os.path.join(directory or '.', name) for directory in os.get_exec_path()] if name else []
    there = [path for path in paths if os.path.exists(path)]
    for path in there:
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    if there:
        raise NotExecuted(CANNOT_EXECUTE, 'Cannot run %s: %s.' % (there[0], os.strerror(errno.EACCES)))
    if '/' in name:
        raise NotExecuted(NOT_FOUND, 'Cannot run %s: %s.' % (name, os.strerror(errno.ENOENT)))
    raise NotExecuted(NOT_FOUND, 'Cannot run %s: no directory of PATH has such a command.' % name)


def start(path, program):
    """Return the started command: a file, and its arguments from its name on.

    It does not inherit the lease, which ends when we do. Raises NotExecuted, and MsrSafeError where it is our fault.
    """
    ours = os.getpid()

    def execute(path, program):
        return subprocess.Popen(program, executable=path, close_fds=False, preexec_fn=lambda: end_with(ours))

    try:
        try:
            return execute(path, program)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            return execute(SHELL, [SHELL, path, *program[1:]])  # As execvp(3) does: a script without #!
    except OSError as error:
        if error.errno in OF_FORK:
            raise MsrSafeError('Cannot start %s: %s.' % (path, error.strerror)) from error
        if error.errno == errno.ENOENT and os.path.exists(path):
            why = 'what its first line names (#!), or the loader that it asks for, does not exist'
        else:
            why = error.strerror
        status = NOT_FOUND if error.errno == errno.ENOENT else CANNOT_EXECUTE
        raise NotExecuted(status, 'Cannot run %s: %s.' % (path, why)) from error
    except subprocess.SubprocessError as error:
        raise MsrSafeError(
            'Cannot start %s: Python cannot ask the kernel to end it with us (prctl).' % path,
            "Does this Python have the module ctypes? Try: python3 -c 'import ctypes'",
        ) from error


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
