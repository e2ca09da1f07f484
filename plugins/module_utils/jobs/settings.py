# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The settings of jobs: what a site decided about profiles, shared nodes and failures."""

import collections

from ..errors import MsrSafeError
from ..layout import SETTINGS
from .profile import RULES, Profile, require_name

PATH = SETTINGS + '/jobs.conf'

# Setting -> the values it can have, the default first; None: any text.
CHOICES = collections.OrderedDict(
    [
        ('default_profile', None),
        ('shared', ('refuse', 'last')),
        ('prolog_failure', ('drain', 'tolerate')),
        ('epilog_failure', ('drain', 'tolerate')),
        ('survivors', ('kill', 'report')),
        ('admin_comment', ('none', 'accounting')),
        ('exclusive', None),
        ('slurm_conf', None),
        ('slurm_bin', None),
    ]
)

JobSettings = collections.namedtuple('JobSettings', [*CHOICES, 'partition_defaults', 'profiles', 'broken'])
JobSettings.__doc__ = """The value of each of CHOICES, {partition: name of a profile}, {name: Profile}, and broken.

exclusive: the partitions whose jobs have their nodes for themselves, a list; slurm_conf: the slurm.conf that says more
of them (partitions.py), '' for none; slurm_bin: the directory of Slurm's commands, '' where they are in the PATH;
broken: why the settings could not be read, '' if they could.
"""


def usual_settings(broken=''):
    """Return the settings of a node without a file, or with one that is broken: no profile, no default."""
    return JobSettings(
        **{name: choose(name, None, '') for name in CHOICES}, partition_defaults={}, profiles={}, broken=broken
    )


def read_settings_or_usual(machine, path=PATH, overrides=None):
    """Return the settings; where they are broken the usual ones, which say so: jobs end cleanly all the same."""
    try:
        return read_settings(machine, path, overrides)
    except MsrSafeError as error:
        return usual_settings(' '.join(str(error).split()))


def read_settings(machine, path=PATH, overrides=None):
    """Return the JobSettings of a file, each replaced by its override where there is one; defaults without a file.

    Raises MsrSafeError, with the file, where something in it means nothing.
    """
    return parse_settings(machine.read_text(path) or '', path, overrides)


def parse_settings(text, path, overrides=None):
    """Return the JobSettings of a text; ``path`` names it in errors. Raises MsrSafeError."""
    values, defaults, profiles = usual_settings()._asdict(), {}, {}
    for kind, name, lines in sections(text, path):
        if kind == 'job':
            unknown = sorted(set(lines) - set(CHOICES))
            if unknown:
                raise MsrSafeError(
                    '%s: there is no setting %s.' % (path, ', '.join(unknown)), 'There are: %s.' % ', '.join(CHOICES)
                )
            values.update({each: choose(each, value, path) for each, value in lines.items()})
        elif kind == 'partition':
            require_known(lines, ('default_profile',), '%s: [partition %s]' % (path, name))
            defaults[name] = lines.get('default_profile', '')
        else:
            require_known(lines, (*RULES, 'set'), '%s: [profile %s]' % (path, name))
            rules = [names_of(lines[rule]) if rule in lines else None for rule in RULES]
            profiles[require_name(name)] = Profile(name, *rules, names_of(lines.get('set', '')))
    for name, value in (overrides or {}).items():
        if value is not None:
            values[name] = choose(name, value, '--' + name.replace('_', '-'))
    values.update(partition_defaults=defaults, profiles=profiles)
    settings = JobSettings(**values)
    for name in [settings.default_profile, *defaults.values()]:
        if name and name not in profiles:
            raise MsrSafeError(
                '%s: the default profile %s is none of the profiles.' % (path, name),
                'Describe it in a section [profile %s].' % name,
            )
    return settings


def sections(text, path):
    """Return the sections of a text: [(kind, name, {setting: value})]. Raises MsrSafeError.

    A section is headed ``[job]``, ``[profile NAME]`` or ``[partition NAME]``, a setting is a line ``name = value``.
    """
    found, heads = [], set()
    for number, line in enumerate(text.splitlines(), 1):
        line, where = line.strip(), '%s:%d' % (path, number)
        if not line or line[0] in '#;':
            continue
        if line[0] == '[' and line[-1] == ']':
            kind, _blank, name = line[1:-1].partition(' ')
            if kind not in ('job', 'profile', 'partition') or bool(name) == (kind == 'job'):
                raise MsrSafeError(
                    '%s: %s is not known.' % (where, line), 'There are [job], [profile NAME] and [partition NAME].'
                )
            if line in heads:
                raise MsrSafeError('%s: %s is there twice.' % (where, line), 'Put the two together.')
            heads.add(line)
            found.append((kind, name, {}))
            continue
        name, equals, value = line.partition('=')
        name = name.strip()
        if not found or not equals or name in found[-1][2]:
            problem = 'is there twice' if found and equals else 'means nothing'
            raise MsrSafeError('%s: %s %s.' % (where, line, problem), 'Write [job], then a line: shared = refuse')
        found[-1][2][name] = value.strip()
    return found


def require_known(lines, known, where):
    unknown = sorted(set(lines) - set(known))
    if unknown:
        raise MsrSafeError(
            '%s has unknown lines: %s.' % (where, ', '.join(unknown)), 'There are: %s.' % ', '.join(known)
        )


def choose(name, value, where):
    """Return the value of a setting, or its default for None. Raises MsrSafeError."""
    choices = CHOICES[name]
    if name == 'exclusive':
        return names_of(value or '')
    if value is None:
        return choices[0] if choices else ''
    if choices and value not in choices:
        raise MsrSafeError('%s: %s is %r.' % (where, name, value), 'Write one of %s.' % ', '.join(choices))
    return value


def names_of(text):
    """Return the names of a list like ``alice, bob``."""
    return text.replace(',', ' ').split()
