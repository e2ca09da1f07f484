# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands by in these tests: program.py ROOT, and does what it is told for the plugin.

It is the real server; in the place of msr-job's commands there are some that show what reaches them.
"""

import os
import signal
import sys
import time
from pathlib import Path

from ansible_collections.hpc.msr_safe.plugins.module_utils.commands.standby import stand_by
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine


def main(arguments, machine, environment):
    """Do what the first argument says, and return its exit status."""
    return COMMANDS[arguments[0]](machine, environment, *arguments[1:])


def show(_machine, environment, *arguments):
    print('arguments', list(arguments))
    print('environment', sorted(environment.items()), environment == dict(os.environ))
    print('errors come, too', file=sys.stderr)
    return 3


def say_much(_machine, _environment, lines):
    for number in range(int(lines)):
        print('line', number)
    return 0


def note(machine, _environment, name):
    with open(machine.path('/notes'), 'a', encoding='utf-8') as notes:
        notes.write(f'{name} {os.getpid()}\n')
    return 0


def note_slowly(machine, environment, name):
    note(machine, environment, name + ' begins')
    while not machine.exists('/go on'):
        time.sleep(0.01)
    return note(machine, environment, name + ' ends')


def die(_machine, _environment):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(_machine, _environment):
    raise ValueError('a fault of the program')


def leave(_machine, _environment):
    sys.exit(2)


COMMANDS = {
    'show': show,
    'say-much': say_much,
    'note': note,
    'note-slowly': note_slowly,
    'die': die,
    'fail': fail,
    'leave': leave,
}

if __name__ == '__main__':
    root = Path(sys.argv[1])
    sys.exit(stand_by(Machine(str(root)), main))
