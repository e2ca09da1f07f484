# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Variables whose names begin as ours do: those that the collection knows, and what to say of all others.

Ansible takes any name. A mistyped one would leave the default in force, which may be the wider list.
"""

from __future__ import annotations

import difflib
import fnmatch
import pathlib
import re

from ..module_utils.errors import MsrSafeError

PREFIX = re.compile(r'(?:msr_safe|slurm_msr|msr_audit)_')
NAME = re.compile(r'\b(?:msr_safe|slurm_msr|msr_audit)_[a-z_]+\b')

# How alike a name and one of ours are, behind the prefix, if it is meant: groups and group, not my_group and group
LIKENESS = 0.8


def names_in_use(root):
    """Return all names that the roles and playbooks below a directory use, documented or their own.

    And those of modules, by which people register their results.
    """
    files = [*root.glob('roles/*/*/*.yml'), *root.glob('playbooks/*.yml')]
    names = {name for file in files for name in NAME.findall(file.read_text(encoding='utf-8'))}
    return frozenset(names | {module.stem for module in root.glob('plugins/modules/*.py')})


KNOWN = names_in_use(pathlib.Path(__file__).parents[2])


def unknown_variables(variables):
    """Return a warning about names that begin as ours do and that nothing here reads, [] where there are none.

    variables: of a host. Raises MsrSafeError where one of them is like one of ours.
    """
    unknown = sorted(name for name in variables if PREFIX.match(name) and name not in KNOWN)
    meant = {name: near for name in unknown for near in [nearest(name)] if near}
    if meant:
        raise MsrSafeError(
            '\n'.join('There is no variable %s. Did you mean %s?' % pair for pair in meant.items()),
            'A mistyped variable would leave a default in force. Rename one that is your own.',
        )
    if not unknown:
        return []
    return ['Nothing of hpc.msr_safe reads %s. See: ansible-doc --type role hpc.msr_safe.msr_safe' % ', '.join(unknown)]


def require_chosen(variable, template, variables):
    """Raise MsrSafeError where a variable that chooses a playbook's hosts has not chosen this one.

    Ansible chooses hosts before it knows the variables of the inventory: there, it would have chosen all of them.
    variables: of the host; template: a function that resolves what Jinja there is in a value. Patterns of which not
    every part is a name are not looked at.
    """
    pattern = template(variables.get(variable))
    if not pattern:
        return
    parts = [str(part).strip() for part in (pattern if isinstance(pattern, list) else re.split('[,:]', str(pattern)))]
    host = variables['inventory_hostname']
    if any(matches(part, [host, 'all', *variables['group_names']]) for part in parts):
        return
    groups = variables['groups']
    if all(matches(part, [*groups, *groups['all']]) for part in parts):
        raise MsrSafeError(
            '%s is %s, and this host is none of these.' % (variable, ','.join(parts)),
            'Give it on the command line (-e %s=%s), which Ansible reads before it chooses hosts.'
            % (variable, ','.join(parts)),
        )


def matches(part, names):
    return any(fnmatch.fnmatchcase(name, part) for name in names)


def nearest(name):
    """Return the known name that one is like, of the same prefix if there is one; None where there is none."""
    prefix, suffix = PREFIX.match(name).group(), without_prefix(name)
    for names in ([known for known in KNOWN if known.startswith(prefix)], KNOWN):
        suffixes = {without_prefix(known): known for known in sorted(names)}
        near = difflib.get_close_matches(suffix, suffixes, 1, LIKENESS)
        if near:
            return suffixes[near[0]]
    return None


def without_prefix(name):
    return PREFIX.sub('', name, count=1)
