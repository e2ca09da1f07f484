# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan of who may use the devices: the group, the udev rules, modes and owners."""

from ..hardware.devices import DEVICES
from . import actions
from .change import build_change
from .file_plan import plan_file, plan_no_file
from .files import UDEV, VENDOR_UDEV, udev_text, without_comments
from .supply import PACKAGE


def plan_permissions(observed, wanted):
    changes = []
    if not observed['group_exists']:
        changes.append(
            build_change(
                'permissions',
                actions.add_group,
                'add the group ' + wanted['group'],
                None,
                wanted['group'] + '\n',
                group=wanted['group'],
            )
        )
    rules = plan_rules(observed, wanted)
    before, after = describe_access(observed['devices'], None), describe_access(observed['devices'], wanted)
    changes.extend(rules)
    if observed['running'] and (rules or before != after):
        changes.append(
            build_change(
                'permissions',
                actions.apply_udev_rules,
                'set owners and modes of the devices',
                before,
                after,
            )
        )
    is_open = is_open_to_all(observed['devices'])
    return [dict(change, disturbs=not is_open) for change in changes]


def plan_rules(observed, wanted):
    """Plan the udev rules. Where a package's say the same, none of the role's are needed: they go before those."""
    text = udev_text(wanted['group'], wanted['modes'])
    of_package = observed['files'][VENDOR_UDEV] if wanted['supply'] == PACKAGE else None
    if without_comments(of_package) != without_comments(text):
        return plan_file(observed, 'permissions', UDEV, text)
    return plan_no_file(observed, 'permissions', UDEV)


def is_open_to_all(devices):
    """Return whether every user may use a device, which waits for no job to end."""
    return any(access[3] != '0' for device in DEVICES for access in devices[device]['access'])


def describe_access(devices, wanted):
    """Return a line for each device that exists: its mode and owners, as they are or as wanted."""
    lines = []
    for device in DEVICES:
        for access, cpus in sorted(devices[device]['access'].items()):
            if wanted:
                access = '%s root:%s' % (wanted['modes'][device], wanted['group'])
            lines.append('%s %s%s\n' % (access, device, ' on CPU ' + cpus if cpus else ''))
    return ''.join(sorted(set(lines)))


def plan_modes(observed, changes):
    """Plan to give back their modes and owners to files that stay as they are."""
    written = {change.get('path') for change in changes}
    return [
        build_change(
            'permissions',
            actions.set_mode,
            'make %s %s root:root again' % (path, one['mode']),
            one['is'] + '\n',
            '%s root:root\n' % one['mode'],
            path=path,
            mode=one['mode'],
        )
        for path, one in sorted(observed['permissions'].items())
        if path not in written
    ]


def plan_former_groups(observed, wanted):
    """Plan to remove the groups that the role made before msr_safe_group was changed."""
    return [
        build_change(
            'permissions',
            actions.remove_group,
            'remove the former group ' + name,
            name + '\n',
            None,
            group=name,
            disturbs=True,
        )
        for name in observed['traces']['groups']
        if name != wanted['group']
    ]
