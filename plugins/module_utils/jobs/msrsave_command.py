# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The utility msrsave, called as an administrator calls it."""

from ..errors import MsrSafeError

# Its exit status where some registers could not be read or restored; it names them.
PARTLY = 3


def save_registers(machine, msrsave, path):
    """Save: ``msrsave PATH``. Raises MsrSafeError.

    A register that cannot be read is no reason: the lists name some that not every part of a CPU model has, and
    what cannot be read then and later is as it was.
    """
    code, output = machine.run([msrsave, path])
    if code not in (0, PARTLY):
        raise MsrSafeError('%s %s: %s' % (msrsave, path, output.strip()))


def restore_registers(machine, msrsave, path, *options):
    """Restore: ``msrsave -r PATH``; return what was written, a line each. Raises MsrSafeError that names the registers.

    Lines of output that say what was written are: ``register  before -> after  on CPU list``.
    """
    code, output = machine.run([msrsave, '-r', *options, path])
    if code == PARTLY:
        raise MsrSafeError('not restored: ' + '; '.join(output.partition('not restored:')[2].split('\n')).strip('; '))
    if code != 0:
        raise MsrSafeError('%s -r %s: %s' % (msrsave, path, output.strip()))
    return [line for line in output.splitlines() if ' -> ' in line]
