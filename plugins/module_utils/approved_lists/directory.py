# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A directory of approved lists: which file is for which processor."""

import os
import re

from ..errors import MsrSafeError
from ..hardware.cpu import describe_cpu, list_name
from ..machine import unreadable

# al_0655, al_06_55, wl_0655, al_068F, al_19_01: family in two digits, then the model.
HISTORICAL_NAME = re.compile(r'(?:al|wl)_([0-9a-f]{2})_?([0-9a-f]{1,3})\Z', re.IGNORECASE)


def select_list(cpu, directories):
    """Return (path, paths it hides) of the approved list for a processor.

    ``cpu`` as from read_cpu. The directories are searched in order. Within one,
    the exact name (al_0655) comes first, then any historical spelling of it.
    The second value names other files of that directory that mean the same
    CPU and are passed over. Raises MsrSafeError where two files without an
    exact name mean this CPU, and where no directory has a list for it.
    """
    for directory in directories:
        names = names_for(cpu, directory)
        exact = list_name(cpu)
        if exact in names:
            others = [name for name in names if name != exact]
            return os.path.join(directory, exact), [os.path.join(directory, name) for name in others]
        if len(names) > 1:
            raise MsrSafeError(
                'Two lists in %s are for %s: %s.' % (directory, describe_cpu(cpu), ' and '.join(names)),
                'Keep one of them, named %s.' % exact,
            )
        if names:
            return os.path.join(directory, names[0]), []
    raise MsrSafeError(
        'No approved list for %s in %s.' % (describe_cpu(cpu), ', '.join(directories)),
        'Write one named %s (docs/approved-lists.md says how) into a directory of your own, '
        'and name that directory in msr_safe_approved_list_directories.' % list_name(cpu),
    )


def names_for(cpu, directory):
    """Return the sorted file names in a directory that mean this processor."""
    if not os.path.isdir(directory):
        raise MsrSafeError(
            'There is no directory of approved lists %s.' % directory,
            'Check the path (msr_safe_approved_list_directories: on the controller).',
        )
    try:
        return sorted(name for name in os.listdir(directory) if means(name, cpu))
    except OSError as error:
        raise unreadable(directory, error) from error


def cpu_of_name(name):
    """Return the processor that a list's name means (family and model only), or None."""
    match = HISTORICAL_NAME.match(name)
    return {'family': int(match.group(1), 16), 'model': int(match.group(2), 16)} if match else None


def means(name, cpu):
    """Return whether a file name is a spelling of this processor's list."""
    return cpu_of_name(name) == {'family': cpu['family'], 'model': cpu['model']}
