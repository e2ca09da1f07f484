# SPDX-License-Identifier: GPL-3.0-or-later
"""Dies as if the power were cut, at a moment that is told beforehand.

Python imports this before all else where PYTHONPATH has its directory. DIE_AT is a word. Before the first file that
msr_safe_apply would put in its place, or command that it would run, whose name has that word, it is killed.
"""

import os
import signal
import sys

DIE_AT = os.environ.get('DIE_AT')


def die(event, arguments):
    if event not in ('os.rename', 'subprocess.Popen'):
        return
    # Ansible runs a module as __main__
    if 'msr_safe_apply' not in str(getattr(sys.modules['__main__'], '__spec__', '')):
        return
    what = arguments[1] if event == 'os.rename' else ' '.join(map(str, arguments[1]))
    if DIE_AT in str(what):
        os.kill(os.getpid(), signal.SIGKILL)


if DIE_AT:
    sys.addaudithook(die)
