# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time of one msrsave goes, in seconds: on a node, started as the command is."""

import time

STARTED = time.monotonic()

spent = {'imports': 0, 'library': 0, 'ioctl': 0, 'file': 0}


def timed(name, function):
    """Return the function, with its time added to what is spent under a name, not under library."""

    def call(*arguments, **options):
        before = time.monotonic()
        try:
            return function(*arguments, **options)
        finally:
            spent[name] += time.monotonic() - before

    return call


def main():
    import sys

    sys.path.insert(0, '/usr/lib/msr-safe')
    from hpc_msr_safe.access import batch
    from hpc_msr_safe.commands import msrsave
    from hpc_msr_safe.machine import Machine

    imported = time.monotonic()
    batch.fcntl.ioctl = timed('ioctl', batch.fcntl.ioctl)
    Machine.write = timed('file', Machine.write)
    sys.stdout = sys.stderr
    status = msrsave.main(sys.argv[1:])
    spent['library'] = time.monotonic() - imported - spent['ioctl'] - spent['file']
    spent['imports'] = imported - STARTED

    import json

    print(json.dumps(spent), file=sys.__stdout__)
    return status


if __name__ == '__main__':
    raise SystemExit(main())
