# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A profile: an approved list that a job may ask for by name, and who may."""

import collections
import re

from ..approved_lists.active import INSTALLED_LIST, read_installed_list
from ..approved_lists.approved_list import read_list
from ..errors import MsrSafeError
from ..layout import SETTINGS

DIRECTORY = SETTINGS + '/profiles'

# As files/spank/profiles.c has it.
NAME = re.compile(r'[a-z0-9_][a-z0-9_-]{0,31}\Z')

# What can be said about a job, in the order in which it is said.
RULES = ('users', 'accounts', 'partitions')

Profile = collections.namedtuple('Profile', ('name', *RULES))
Profile.__doc__ = """Its name, and for each of RULES the names it is for, None where there is no such rule.

Without any rule it is for everybody; a rule that names nobody is for nobody.
"""


def list_path(name):
    """Return the path of a profile's list; the empty name is the node's own list."""
    return '%s/%s' % (DIRECTORY, name) if name else INSTALLED_LIST


def is_allowed(profile, job):
    """Return whether a job may have a profile: it does where one of the rules names it."""
    asked = (job.user, job.account, job.partition)
    rules = [getattr(profile, rule) for rule in RULES]
    if all(rule is None for rule in rules):
        return True
    return any(bool(name) and name in (names or ()) for name, names in zip(asked, rules))


def read_profile_list(machine, name):
    """Return the entries of a profile's list; of the node's own list for the empty name. Raises MsrSafeError."""
    return read_list(machine, list_path(name)) if name else read_installed_list(machine)


def read_node_list(machine):
    """Return (the entries of the node's own list, what is to be logged): nothing is approved where it is malformed."""
    try:
        return read_profile_list(machine, ''), []
    except MsrSafeError as error:
        return [], [' '.join(str(error).split())]


def is_writable(entries):
    """Return whether a list lets anything be written."""
    return any(entry.mask for entry in entries)


def reading(entries):
    """Return the list that lets the same registers be read, and nothing be written."""
    return [entry._replace(mask=0) for entry in entries]


def unite(lists):
    """Return the list that approves all that several lists do; a register has the name and kind of the first."""
    united = collections.OrderedDict()
    for entries in lists:
        for entry in entries:
            known = united.get(entry.address)
            united[entry.address] = entry if known is None else known._replace(mask=entry.mask | known.mask)
    return [united[address] for address in sorted(united)]


def require_name(text):
    """Return a profile's name. Raises MsrSafeError where the text is none."""
    if not NAME.match(text):
        raise MsrSafeError('%r is no name of a profile.' % text, 'Use a-z, 0-9, - and _.')
    return text
