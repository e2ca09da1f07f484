# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A directory of approved lists: which file is for which processor."""

import collections
import os
import re

from ..errors import MsrSafeError
from ..hardware.cpu import describe_cpu, list_name
from ..machine import unreadable

# al_0655, al_06_55, wl_0655, al_068F, al_19_01: family in two digits, then the model.
HISTORICAL_NAME = re.compile(r'(?:al|wl)_([0-9a-f]{2})_?([0-9a-f]{1,3})\Z', re.IGNORECASE)
# What somebody may have meant to be a list: al_6_85, al0655, 06_55, whitelist_0655.
LIKE_A_LIST = re.compile(
    r'(?:al|wl)(?:[_-]|[ .]?[0-9])|[01][0-9a-f]_?[0-9a-f]{1,2}\Z|.*(?:approved[_-]?|allow|white)list', re.IGNORECASE
)
# What an editor or a package left
LEFT_OVER = ('~', '.bak', '.orig', '.swp', '.rpmsave', '.rpmnew')
# A copy: al_0655.txt, al_0655_old
COPY = re.compile(r'((?:al|wl)_[0-9a-f]{2}_?[0-9a-f]{1,3})[._-]', re.IGNORECASE)
# There is no x86 family beyond: al_655, read as family 0x65, is family 6 model 55 or 85 misspelt.
LAST_FAMILY = 0x1F
# Four bits, and four of the extended model (CPUID leaf 1)
LAST_MODEL = 0xFF

Selected = collections.namedtuple('Selected', 'path hidden odd')
Selected.__doc__ = """The list for a processor: its path; the paths of others for the same one, which it hides;
the paths of files that look like lists and are for no processor."""


def select_list(cpu, directories):
    """Return, as Selected, the approved list for a processor.

    ``cpu`` as from read_cpu. The directories are searched in order. Within one,
    the exact name (al_0655) comes first, then any historical spelling of it.
    Raises MsrSafeError where two files without an exact name mean this CPU, and
    where no directory has a list for it.
    """
    odd = []
    exact = list_name(cpu)
    for directory in directories:
        all_names = file_names(directory)
        odd += [os.path.join(directory, name) for name in all_names if is_odd(name)]
        names = [name for name in all_names if means(name, cpu)]
        if exact in names:
            hidden = [os.path.join(directory, name) for name in names if name != exact]
            return Selected(os.path.join(directory, exact), hidden, odd)
        if len(names) > 1:
            raise MsrSafeError(
                'Two lists in %s are for %s: %s.' % (directory, describe_cpu(cpu), ' and '.join(names)),
                'Keep one of them, named %s.' % exact,
            )
        if names:
            return Selected(os.path.join(directory, names[0]), [], odd)
    raise MsrSafeError(
        'No approved list for %s in %s.%s' % (describe_cpu(cpu), ', '.join(directories), spell_odd(odd)),
        'Write one named %s (docs/approved-lists.md says how) into a directory of your own, '
        'and name that directory in msr_safe_approved_list_directories.' % list_name(cpu),
    )


def file_names(directory):
    """Return the sorted file names in a directory. Raises MsrSafeError."""
    if not os.path.isdir(directory):
        raise MsrSafeError(
            'There is no directory of approved lists %s.' % directory,
            'Check the path (msr_safe_approved_list_directories: on the controller).',
        )
    try:
        return sorted(os.listdir(directory))
    except OSError as error:
        raise unreadable(directory, error) from error


def cpu_of_name(name):
    """Return the processor that a list's name means (family and model only), or None."""
    match = HISTORICAL_NAME.match(name)
    family, model = (int(number, 16) for number in match.groups()) if match else (0, 0)
    return {'family': family, 'model': model} if match and family <= LAST_FAMILY and model <= LAST_MODEL else None


def named_cpu(text):
    """Return the processor that a user's text names: ``06_55``, ``al_0655``. Raises MsrSafeError."""
    cpu = cpu_of_name(text) or cpu_of_name('al_' + text)
    if cpu is None:
        raise MsrSafeError(
            '%s is not a CPU.' % text,
            'Write family and model as the lists do, in hexadecimal: al_0655, or 06_55 (in YAML in quotes: '
            'without them it is a number).',
        )
    return cpu


def cpus_of_lists(directories):
    """Return the processors that there are lists for in directories, by name. Raises MsrSafeError."""
    found = [cpu_of_name(name) for directory in directories for name in file_names(directory)]
    cpus = {list_name(cpu): cpu for cpu in found if cpu}
    return [cpus[name] for name in sorted(cpus)]


def cpu_meant_by(name):
    """Return the processor that a file's name means, also of a copy that is called al_0655.txt or al_0655_old."""
    copy = COPY.match(name)
    return cpu_of_name(name) or (cpu_of_name(copy.group(1)) if copy else None)


def is_odd(name):
    """Return whether a file looks like a list and is for no processor."""
    return bool(LIKE_A_LIST.match(name)) and not name.endswith(LEFT_OVER) and cpu_of_name(name) is None


def spell_odd(paths):
    """Return a sentence about files that are for no processor, or ''."""
    return ' Passed over, since their names mean no CPU: %s.' % ', '.join(paths) if paths else ''


def means(name, cpu):
    """Return whether a file name is a spelling of this processor's list."""
    return cpu_of_name(name) == {'family': cpu['family'], 'model': cpu['model']}
