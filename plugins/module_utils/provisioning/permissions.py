# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The modes and owners of the files that the role installs, where they are not what they should be."""

import os
import stat

from ..approved_lists.active import LISTS
from ..errors import MsrSafeError
from ..hardware.devices import describe_access
from ..layout import COMMANDS, HELP, LIBRARY, PACKAGE, POLICY, SETTINGS, STATE, installed_module
from .dkms import sources_of_ours
from .files import CONFIGURATION, HOOKS

WRITABLE_BY_OTHERS = 0o022


def wanted_modes(machine, release):
    """Return {path: mode} of everything that the role installs and the machine has."""
    modes = dict.fromkeys([*CONFIGURATION, POLICY, *HELP, installed_module(release)], 0o644)
    modes.update(dict.fromkeys([*COMMANDS, *HOOKS.values(), LIBRARY, SETTINGS, LISTS], 0o755))
    modes.update(('%s/%s' % (LISTS, name), 0o644) for name in machine.list(LISTS))
    for tree in [PACKAGE, *sources_of_ours(machine)]:
        for parent, _directories, names in os.walk(machine.path(tree)):
            here = os.path.join(tree, os.path.relpath(parent, machine.path(tree)))
            modes[os.path.normpath(here)] = 0o755
            modes.update((os.path.normpath(os.path.join(here, name)), 0o644) for name in names)
    return {path: mode for path, mode in modes.items() if os.path.lexists(machine.path(path))}


def observe_permissions(machine, release):
    """Return ({path: {'is': '0666 root:root', 'mode': '0644'}} where that is not so, {path of a link: its target}).

    Only root writes what the role installs. Of the role's state only that is asked: its files are of many kinds.
    """
    unlike, links = {}, {}
    for path, mode in sorted(wanted_modes(machine, release).items()):
        status = os.lstat(machine.path(path))
        if stat.S_ISLNK(status.st_mode):
            links[path] = os.readlink(machine.path(path))
        elif stat.S_IMODE(status.st_mode) != mode or not is_own(status):
            unlike[path] = {'is': describe_access(status), 'mode': '%04o' % mode}
    if machine.exists(STATE):
        status = os.stat(machine.path(STATE))
        if status.st_mode & WRITABLE_BY_OTHERS or not is_own(status):
            mode = stat.S_IMODE(status.st_mode) & ~WRITABLE_BY_OTHERS
            unlike[STATE] = {'is': describe_access(status), 'mode': '%04o' % mode}
    return unlike, links


def is_own(status):
    """Return whether a file belongs to who installs: root, and its group."""
    return (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())


def set_permissions(machine, path, mode):
    """Make a file one of root's, with a mode. Raises MsrSafeError where it is a link by now."""
    if os.path.islink(machine.path(path)):
        raise MsrSafeError('%s is a symbolic link.' % path, 'Remove it, and apply the role again.')
    os.chown(machine.path(path), os.geteuid(), os.getegid())
    os.chmod(machine.path(path), int(mode, 8))
