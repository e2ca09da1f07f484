# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The partitions whose jobs have their nodes for themselves, as slurm.conf on the node has it now.

slurm.conf changes without us. To read all of a large site's takes longer than a prolog should, so what it says is kept
in /run, for root only, for as long as none of its files is another one.
"""

import contextlib
import marshal
import os
import sys

from ..errors import MsrSafeError
from .image import stamp_of_file
from .record import DIRECTORY, make_directory, write_bytes

PATH = os.path.dirname(DIRECTORY) + '/partitions'


def with_partitions(machine, settings):
    """Return (the settings with the exclusive partitions of the slurm.conf that they name, what is to be logged).

    Without that file there are those only that the settings name. Not for when a lock is held: it may be a file
    server's.
    """
    if not settings.slurm_conf:
        return settings, []
    try:
        names = exclusive_now(machine, settings.slurm_conf)
    except MsrSafeError as error:
        return settings, [' '.join(str(error).split())]
    return settings._replace(exclusive=settings.exclusive + names), []


def exclusive_now(machine, path):
    """Return the exclusive partitions of a slurm.conf. Raises MsrSafeError where it cannot be read."""
    reader = [sys.hexversion, stamp_of_file(__file__), path]
    kept = read_kept(machine, reader)
    if kept is not None:
        return kept
    from .slurm_conf import exclusive_partitions, read_slurm_conf

    stamps = {}
    conf = read_slurm_conf(machine, path, lambda file: stamps.setdefault(file, stamp_of_file(machine.path(file))))
    if conf is None:
        raise MsrSafeError(
            'There is no %s: no partition is taken for exclusive.' % path, 'Apply the role hpc.msr_safe.slurm.'
        )
    names = exclusive_partitions(conf)
    with contextlib.suppress(MsrSafeError):  # The next job reads it again
        make_directory(machine)
        write_bytes(machine, PATH, marshal.dumps((reader, stamps, names)))
    return names


def read_kept(machine, wanted):
    """Return the partitions that were kept, None where there are none of the files that the node has now."""
    try:
        reader, stamps, names = marshal.loads(machine.read(PATH) or b'')
    except (MsrSafeError, EOFError, TypeError, ValueError):
        return None
    if reader != wanted or any(stamp_of_file(machine.path(file)) != stamp for file, stamp in stamps.items()):
        return None
    return names
