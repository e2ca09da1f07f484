# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What a node has to be for msr-safe to be planned for it, or is refused for, with a remedy."""

import re

from ..errors import MsrSafeError
from ..hardware.devices import DEVICES
from ..hardware.kernel_module import describe_holders, holder_remedy
from .change import describe_change, due, unloads

# The kernel hands out character device majors below CHRDEV_MAJOR_MAX (include/linux/fs.h).
MAX_MAJOR = 511

# What a string of udev(7) rules can hold, without substitutions, and udev does not take for the number of a group
# and what is no list or dictionary that was taken for a text
GROUP_NAME = re.compile(r'(?![-\s])(?![0-9]+\Z)[^]["$%:{}\n]*[^]["$%:{}\\\s]')

# Where actions write that have no path, and those whose path they only read
WRITE_TO = {'add_group': '/etc/group', 'enable_service': '/etc/systemd/system', 'install_commands': '/usr/lib/msr-safe'}
ONLY_READ = ('activate_list', 'apply_policy')


def check_root(observed):
    """Raise MsrSafeError where Ansible is not root: a plan would promise what nobody carries out."""
    if not observed.get('as_root', True):
        raise MsrSafeError(
            'Ansible is not root on this node, and cannot change it.',
            'Set become: true for the play, or run ansible-playbook with --become (--ask-become-pass).',
        )


def check_links(observed):
    """Raise MsrSafeError where a symbolic link is in the place of a file of ours."""
    for path, target in sorted(observed['links'].items()):
        raise MsrSafeError(
            '%s is a symbolic link to %s, and is to be a file of this node.' % (path, target),
            'Remove the link (rm %s) and apply the role again; it is not followed, and not replaced.' % path,
        )


def check_modules_disabled(observed, loads):
    """Raise MsrSafeError where the running kernel is to load the module and loads none any more."""
    if observed['modules_disabled'] and due(loads):
        raise MsrSafeError(
            'This kernel takes no modules any more: /proc/sys/kernel/modules_disabled is 1.',
            'It stays so until the next boot: set it later than msr-safe.service runs, and reboot; or have the module '
            'replaced at the next boot only (msr_safe_reload: boot).',
        )


def check_holders(observed, changes):
    """Raise MsrSafeError where the module is to be unloaded and a program uses it."""
    loaded = observed['module']['loaded']
    if loaded and loaded['users'] and any(map(unloads, changes)):
        raise MsrSafeError(
            'The module msr_safe is in use: %s.' % describe_holders(observed['module']['holders']),
            holder_remedy(),
        )


def check_majors(majors, taken):
    """Raise MsrSafeError where a wanted major number cannot be had."""
    chosen = {device: major for device, major in majors.items() if major}
    for device, major in sorted(chosen.items()):
        where = 'Major number %d for %s ' % (major, device)
        remedy = 'Choose another one in msr_safe_majors (free: %s), or 0 to let the kernel choose.' % free_majors(taken)
        if not 1 <= major <= MAX_MAJOR:
            raise MsrSafeError('%sis not between 1 and %d.' % (where, MAX_MAJOR), remedy)
        if list(chosen.values()).count(major) > 1:
            raise MsrSafeError(where + 'is given to two devices.', remedy)
        # /proc/devices comes through JSON, so its keys may be text.
        driver = taken.get(major, taken.get(str(major)))
        if driver is not None and driver not in DEVICES:
            raise MsrSafeError('%sis in use by the driver %s.' % (where, driver), remedy)


def free_majors(taken):
    """Return four major numbers of the range for local use (Documentation/admin-guide/devices.txt) in words."""
    in_use = {int(major) for major in taken}
    return ', '.join(str(major) for major in range(240, 255) if major not in in_use)[:18]


def check_group(name):
    """Raise MsrSafeError where the name of a group is none, or means something else to udev."""
    if not GROUP_NAME.fullmatch(name):
        raise MsrSafeError(
            '%r is not the name of a group that may have the devices: udev would read something else.' % name,
            'Name another one in msr_safe_group, of letters, digits, - and _, such as msr.',
        )


def check_modes(modes):
    """Raise MsrSafeError for a mode that is none, or that lets everyone in."""
    for device, mode in sorted(modes.items()):
        if not re.match('0[0-7]{3}\\Z', mode):
            raise MsrSafeError(
                'Mode %s for %s is not an octal number of four digits.' % (mode, device),
                "Write it in quotes: '0660'.",
            )
        if mode[-1] != '0':
            raise MsrSafeError(
                'Mode %s for %s would let every user in.' % (mode, device),
                'End it in 0, and add those who may to the group.',
            )


def describe_read_only(observed, changes):
    """Return what is due where nobody can write, a sentence for each directory."""
    said = []
    for directory in observed['read_only']:
        lines = [describe_change(change) for change in due(changes) if is_below(written_by(change), directory)]
        if lines:
            said.append(
                '%s is read only on this node, and what is due there will fail: %s. Have it in the image that the node '
                'boots (msr_safe_root), or mount it for writing first.' % (directory, '; '.join(lines))
            )
    return said


def written_by(change):
    """Return the path on the node that a change writes, or ''. A builder writes on its own host."""
    action = change['action']
    if action in ONLY_READ or (action == 'build_module' and change.get('artifact')):
        return ''
    return WRITE_TO.get(action) or change.get('path') or ''


def is_below(path, directory):
    return (path + '/').startswith(directory + '/')
