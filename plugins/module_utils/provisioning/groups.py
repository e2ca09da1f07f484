# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The groups that the role made on a machine, and the record of them: it takes away no others.

The record is a name a line. One with a BEGUN behind it was about to be made: whoever wrote that may have been killed
before, or after. So such a group counts as ours only while it is one of /etc/group, and nobody is in it.
"""

import grp

from ..errors import MsrSafeError
from ..layout import CREATED_GROUP

# No name of a group ends so
BEGUN = '?'


def add_group(machine, name):
    """Make a group and remember it, or that one which was begun is ours. Raises MsrSafeError."""
    made, begun = read_record(machine)
    if group_exists(machine, name):
        is_ours = name in made or (name in begun and is_nobodys(machine, name))
        remember(machine, with_name(made, name) if is_ours else made, without(begun, name))
        return
    remember(machine, without(made, name), with_name(begun, name))
    try:
        machine.command('groupadd', '--system', name)
    except MsrSafeError:
        remember(machine, without(made, name), without(begun, name))
        raise
    remember(machine, with_name(made, name), without(begun, name))


def remove_group(machine, name):
    """Remove a group and forget it. Raises MsrSafeError."""
    machine.command('groupdel', name)
    remember(machine, *(without(names, name) for names in read_record(machine)))


def group_exists(machine, name):
    """Return whether a machine has a group: a node by whatever tells it its groups, an image by its file."""
    if not machine.runs:
        return bool(entry_of(machine, name))
    try:
        grp.getgrnam(name)
    except (KeyError, ValueError):  # Unknown, or no name: a disk that was full leaves zeros in files
        return False
    return True


def is_made(machine, name):
    """Return whether a machine has a group, and whose it is has been settled."""
    return group_exists(machine, name) and name not in read_record(machine)[1]


def groups_of_ours(machine):
    """Return the names of the groups that the role made on a machine and that it has, former ones too."""
    made, begun = read_record(machine)
    names = made + [name for name in begun if name not in made and is_nobodys(machine, name)]
    return [name for name in names if group_exists(machine, name)]


def is_nobodys(machine, name):
    """Return whether a group is one of the machine's own file, and without members."""
    return entry_of(machine, name)[3:] == ['']


def entry_of(machine, name):
    """Return the line of a group in /etc/group, split: name, password, number, members; [] where there is none."""
    lines = (line.split(':') for line in (machine.read_text('/etc/group') or '').splitlines())
    return next((entry for entry in lines if entry[0] == name), [])


def read_record(machine):
    """Return the names of groups that were made, and of those that were begun."""
    names = (machine.read_text(CREATED_GROUP) or '').split()
    made = [name for name in names if not name.endswith(BEGUN)]
    return made, [name[: -len(BEGUN)] for name in names if name.endswith(BEGUN)]


def remember(machine, made, begun):
    """Write the record, where it is another."""
    if (made, begun) == read_record(machine):
        return
    if not made and not begun:
        machine.remove(CREATED_GROUP)
        return
    lines = made + [name + BEGUN for name in begun]
    machine.write(CREATED_GROUP, ''.join(line + '\n' for line in lines).encode('utf-8'))


def with_name(names, name):
    return [*without(names, name), name]


def without(names, name):
    return [one for one in names if one != name]
