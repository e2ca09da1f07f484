# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A profile: an approved list that a job may ask for by name, and who may."""

import collections

from ..errors import MsrSafeError
from ..layout import SETTINGS

DIRECTORY = SETTINGS + '/profiles'
# Also approved_lists/active.py has it, with all that reads lists: more than most prologs need
NODE_LIST = SETTINGS + '/approved_list'
# Of a node of an image, those of all its CPUs
IMAGE_LISTS = SETTINGS + '/approved_lists'

# As files/spank/profiles.c has it.
LETTERS = frozenset('abcdefghijklmnopqrstuvwxyz0123456789_-')
LONGEST = 32

# What can be said about a job, in the order in which it is said.
RULES = ('users', 'accounts', 'partitions')

Profile = collections.namedtuple('Profile', ('name', *RULES, 'sets'))
Profile.__doc__ = """Its name; for each of RULES the names it is for, None where there is no such rule; and sets.

Without any rule it is for everybody; a rule that names nobody is for nobody. sets: what its jobs may have set, texts
as controls.py has them.
"""


def list_path(name):
    """Return the path of a profile's list; the empty name is the node's own list."""
    return '%s/%s' % (DIRECTORY, name) if name else NODE_LIST


def is_allowed(profile, job):
    """Return whether a job may have a profile: it does where one of the rules names it."""
    asked = (job.user, job.account, job.partition)
    rules = [getattr(profile, rule) for rule in RULES]
    if all(rule is None for rule in rules):
        return True
    return any(bool(name) and name in (names or ()) for name, names in zip(asked, rules))


def is_name(text):
    """Return whether a text is the name of a profile at all."""
    return 0 < len(text) <= LONGEST and text[0] != '-' and LETTERS.issuperset(text)


def require_name(text):
    """Return a profile's name. Raises MsrSafeError where the text is none."""
    if not is_name(text):
        raise MsrSafeError('%r is no name of a profile.' % text, 'Use a-z, 0-9, - and _.')
    return text
