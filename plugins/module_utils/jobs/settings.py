# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The settings of jobs: what a site decided about profiles, shared nodes and failures."""

import collections
import configparser

from ..errors import MsrSafeError
from ..layout import SETTINGS
from .profile import RULES, Profile, require_name

PATH = SETTINGS + '/jobs.conf'

# Setting -> the values it can have, the default first; None: any text.
CHOICES = collections.OrderedDict(
    [
        ('msrsave', None),
        ('default_profile', None),
        ('shared', ('refuse', 'last')),
        ('prolog_failure', ('drain', 'tolerate')),
        ('epilog_failure', ('drain', 'tolerate')),
        ('survivors', ('kill', 'report')),
    ]
)
DEFAULTS = {'msrsave': '/usr/sbin/msrsave', 'default_profile': ''}

JobSettings = collections.namedtuple('JobSettings', [*CHOICES, 'profiles'])
JobSettings.__doc__ = """The value of each of CHOICES, and {name: Profile}."""


def read_settings(machine, path=PATH, overrides=None):
    """Return the JobSettings of a file, each replaced by its override where there is one; defaults without a file.

    Raises MsrSafeError, with the file, where something in it means nothing.
    """
    parser = configparser.ConfigParser(interpolation=None, delimiters=('=',), default_section=None)
    try:
        parser.read_string(machine.read_text(path) or '', path)
    except configparser.Error as error:
        raise MsrSafeError('%s: %s.' % (path, ' '.join(str(error).split()))) from error
    given = dict(parser['job']) if parser.has_section('job') else {}
    values = {name: choose(name, given.pop(name, None), path) for name in CHOICES}
    if given:
        raise MsrSafeError(
            '%s: there is no setting %s.' % (path, ', '.join(sorted(given))), 'There are: %s.' % ', '.join(CHOICES)
        )
    for name, value in (overrides or {}).items():
        if value is not None:
            values[name] = choose(name, value, '--' + name.replace('_', '-'))
    profiles = [read_profile(parser[section], path) for section in parser.sections() if section != 'job']
    settings = JobSettings(profiles={profile.name: profile for profile in profiles}, **values)
    if settings.default_profile and settings.default_profile not in settings.profiles:
        raise MsrSafeError(
            '%s: the default profile %s is none of the profiles.' % (path, settings.default_profile),
            'Describe it in a section [profile %s].' % settings.default_profile,
        )
    return settings


def choose(name, value, where):
    """Return the value of a setting, or its default for None. Raises MsrSafeError."""
    choices = CHOICES[name]
    if value is None:
        return choices[0] if choices else DEFAULTS[name]
    if choices and value not in choices:
        raise MsrSafeError('%s: %s is %r.' % (where, name, value), 'Write one of %s.' % ', '.join(choices))
    return value


def read_profile(section, path):
    """Return the Profile of a section ``[profile NAME]``. Raises MsrSafeError."""
    kind, _blank, name = section.name.partition(' ')
    unknown = set(section) - set(RULES)
    if kind != 'profile' or unknown:
        raise MsrSafeError(
            '%s: [%s] %s.'
            % (path, section.name, 'has unknown lines: ' + ', '.join(sorted(unknown)) if unknown else 'is not known'),
            'There are [job] and [profile NAME], the latter with any of %s.' % ', '.join(RULES),
        )
    return Profile(require_name(name), *[section.get(rule, '').replace(',', ' ').split() for rule in RULES])
