# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A profile: an approved list that a job may ask for by name, and who may."""

import collections
import re

from ..access.lock import locked
from ..approved_lists.active import INSTALLED_LIST, read_installed_list
from ..approved_lists.approved_list import read_list
from ..approved_lists.counters import activate_for_users
from ..approved_lists.header import require_cpu_of_header
from ..errors import MsrSafeError
from ..hardware.cpu import read_cpu
from ..layout import SETTINGS

DIRECTORY = SETTINGS + '/profiles'

# As files/spank/profiles.c has it.
NAME = re.compile(r'[a-z0-9_][a-z0-9_-]{0,31}\Z')

# What can be said about a job, in the order in which it is said.
RULES = ('users', 'accounts', 'partitions')

Profile = collections.namedtuple('Profile', ('name', *RULES))
Profile.__doc__ = """Its name, and for each of RULES the names it is for; where all are empty, it is for everybody."""


def list_path(name):
    """Return the path of a profile's list; the empty name is the node's own list."""
    return '%s/%s' % (DIRECTORY, name) if name else INSTALLED_LIST


def is_allowed(profile, job):
    """Return whether a job may have a profile: it does where one of the rules names it."""
    asked = (job.user, job.account, job.partition)
    rules = [getattr(profile, rule) for rule in RULES]
    return not any(rules) or any(name in names for name, names in zip(asked, rules))


def read_profile_list(machine, name):
    """Return the entries of a profile's list; of the node's own list for the empty name. Raises MsrSafeError."""
    path = list_path(name)
    # A disk that moved to another node brings lists of another CPU along.
    require_cpu_of_header(machine.read_text(path) or '', path, read_cpu(machine))
    return read_list(machine, path) if name else read_installed_list(machine)


def activate_profile(machine, name):
    """Make a profile's list the one in force, or the node's own for the empty name; return its entries."""
    entries = read_profile_list(machine, name)
    with locked(machine, 'msr-job'):
        activate_for_users(machine, entries)
    return entries


def is_writable(entries):
    """Return whether a list lets anything be written."""
    return any(entry.mask for entry in entries)


def unite(lists):
    """Return the list that approves all that several lists do."""
    united = collections.OrderedDict()
    for entries in lists:
        for entry in entries:
            known = united.get(entry.address)
            united[entry.address] = entry._replace(mask=entry.mask | known.mask) if known else entry
    return sorted(united.values(), key=address_of)


def address_of(entry):
    return entry.address


def require_name(text):
    """Return a profile's name. Raises MsrSafeError where the text is none."""
    if not NAME.match(text):
        raise MsrSafeError('%r is no name of a profile.' % text, 'Use a-z, 0-9, - and _.')
    return text
