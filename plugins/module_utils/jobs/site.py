# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The site's wishes about jobs: the role's variables, looked at whole before a node is touched."""

import re

from ..approved_lists.lint import TIERS
from ..errors import MsrSafeError
from ..layout import NOTICE
from .controls import parse_bounds
from .profile import RULES, is_name
from .settings import CHOICES, parse_settings

# What a profile can have, beside whom it is for: which list it is.
LIST = ('tier', 'directories', 'overrides', 'allow_unsafe')
# What its jobs may have set for them, as of controls.py
SET = 'set'
# Users, accounts and partitions as Slurm can name them; none of these characters means something in jobs.conf.
WORD = re.compile(r'[^\s,=#\[\]]+\Z')


def settings_text(wishes):
    """Return the text of jobs.conf for the role's variables. Raises MsrSafeError, with the variable.

    wishes: ``{'profiles': {name: profile}, 'partition_defaults': {partition: profile}}`` and any of CHOICES.
    """
    wishes = dict(wishes)
    profiles = require(wishes.pop('profiles', {}), dict, 'slurm_msr_profiles')
    defaults = require(wishes.pop('partition_defaults', {}), dict, 'slurm_msr_partition_defaults')
    lines = ['# ' + NOTICE, '', '[job]']
    for name in CHOICES:
        lines += ['%s = %s' % (name, require(wishes[name], str, 'slurm_msr_' + name))] if name in wishes else []
    for partition, profile in sorted(defaults.items()):
        where = 'slurm_msr_partition_defaults'
        require_words([partition], where)
        lines += ['', '[partition %s]' % partition, 'default_profile = %s' % require(profile, str, where)]
    for name, profile in sorted(profiles.items(), key=str):
        lines += ['', *profile_lines(name, profile)]
    text = '\n'.join(line.rstrip() for line in lines) + '\n'
    parse_settings(text, 'slurm_msr_profiles and its defaults')
    return text


def profile_lines(name, profile):
    """Return the lines of a profile. Raises MsrSafeError, with the variable, where something in it means nothing."""
    where = 'slurm_msr_profiles: %s' % name
    if not isinstance(name, str) or not is_name(name):
        raise MsrSafeError('%s is no name of a profile.' % where, 'Use a-z, 0-9, - and _; quote what is a number.')
    require(profile, dict, where)
    unknown = sorted(set(profile) - set(RULES) - set(LIST) - {SET}, key=str)
    if unknown:
        raise MsrSafeError(
            '%s: there is no %s.' % (where, ', '.join(map(str, unknown))),
            'A profile is for %s; its list has %s; its jobs may %s.' % (', '.join(RULES), ', '.join(LIST), SET),
        )
    if profile.get('tier', 'power') not in TIERS:
        raise MsrSafeError('%s: tier is %r.' % (where, profile['tier']), 'Write one of %s.' % ', '.join(TIERS))
    for key in ('directories', 'overrides', 'allow_unsafe'):
        require(profile.get(key, []), list, '%s: %s' % (where, key))
    if SET in profile:
        parse_bounds(require_words(profile[SET], '%s: %s' % (where, SET)), '%s: %s' % (where, SET))
    rules = [
        (rule, require_words(profile[rule], '%s: %s' % (where, rule))) for rule in (*RULES, SET) if rule in profile
    ]
    return ['[profile %s]' % name, *['%s = %s' % (rule, ', '.join(words)) for rule, words in rules]]


def require(value, kind, where):
    """Return a value that is of a kind. Raises MsrSafeError."""
    kinds = {dict: 'a mapping', list: 'a list', str: 'a text'}
    if not isinstance(value, kind):
        raise MsrSafeError('%s is %r, not %s.' % (where, value, kinds[kind]), 'See docs/slurm.md, "Profiles".')
    if kind is str and '\n' in value:
        raise MsrSafeError('%s has more than one line.' % where, 'Write one.')
    return value


def require_words(value, where):
    """Return a list of names. Raises MsrSafeError, also for one name that is not in a list: its letters are none."""
    if not isinstance(value, list):
        raise MsrSafeError('%s is %r, not a list.' % (where, value), 'Write: [%s]' % value)
    for word in value:
        if not isinstance(word, str) or not WORD.match(word):
            raise MsrSafeError(
                '%s: %r is no name.' % (where, word), 'Quote what is a number; leave out blanks and commas.'
            )
    return value
