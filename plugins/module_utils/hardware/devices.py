# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The devices of the kernel module: their names and what a node has of them."""

import errno
import os
import stat

from ..errors import MsrSafeError

# Device (also the name of its sysfs class) -> kernel module parameter for its major number.
PARAMETERS = {
    'msr_safe': 'mdev_msr_safe',
    'msr_batch': 'mdev_msr_batch',
    'msr_approved_list': 'mdev_msr_approved_list',
    'msr_safe_version': 'mdev_msr_version',
}
DEVICES = tuple(PARAMETERS)

BATCH = '/dev/cpu/msr_batch'
# Ours, then the names that other msr-safe modules give the same device.
APPROVED_LISTS = ('/dev/cpu/msr_approved_list', '/dev/cpu/msr_allowlist', '/dev/cpu/msr_whitelist')

ROLE_REMEDY = 'Apply the role hpc.msr_safe.msr_safe to this node (ansible-playbook hpc.msr_safe.site).'
LOAD_REMEDY = 'Load the kernel module: systemctl start msr-safe, or apply the role hpc.msr_safe.msr_safe to this node.'


def approved_list_device(machine):
    """Return the path of the approved list's device. Raises MsrSafeError where there is none."""
    for path in APPROVED_LISTS:
        if machine.exists(path):
            return path
    raise missing_device(machine, APPROVED_LISTS[0])


def missing_device(machine, path):
    """Return the MsrSafeError for a device that is not there."""
    if has_stock_driver(machine):
        return MsrSafeError(
            "%s is missing: this node has the kernel's own msr driver only, which knows no approved list." % path,
            ROLE_REMEDY,
        )
    return MsrSafeError('%s is missing: no msr-safe kernel module is loaded.' % path, LOAD_REMEDY)


def has_stock_driver(machine):
    """Return whether the kernel's own driver, /dev/cpu/N/msr, is there, and that of an msr-safe is not."""
    cpus = ['/dev/cpu/' + name for name in machine.list('/dev/cpu') if name.isdigit()]
    return any(machine.exists(cpu + '/msr') for cpu in cpus) and not any(
        machine.exists(cpu + '/msr_safe') for cpu in cpus
    )


def open_device(machine, path, flags):
    """Return a descriptor of a device. Raises MsrSafeError."""
    try:
        return os.open(machine.path(path), flags)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
            raise missing_device(machine, path) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise MsrSafeError(
                'Not allowed to open %s.' % path,
                "Run as root (in Ansible: become: true), or as a member of the device's group.",
            ) from error
        raise MsrSafeError('Cannot open %s: %s.' % (path, error.strerror)) from error


def device_paths(machine, device):
    """Return {CPU number or None: path} for one device as it exists on the machine."""
    if device != 'msr_safe':
        path = '/dev/cpu/' + device
        return {None: path} if machine.exists(path) else {}
    paths = {int(name): '/dev/cpu/%s/msr_safe' % name for name in machine.list('/dev/cpu') if name.isdigit()}
    return {cpu: path for cpu, path in paths.items() if machine.exists(path)}


def observe_devices(machine):
    """Return what devices there are and who may use them.

    Shape: ``{device: {'major': int or None, 'access': {'0660 root:msr':
    cpulist}}}``, with '' as the cpulist of a device that belongs to no CPU.
    """
    from .cpulist import format_cpulist  # Takes long to load, and most who open a device observe none

    observed = {}
    for device in DEVICES:
        access, major = {}, None
        for cpu, path in device_paths(machine, device).items():
            try:
                status = os.stat(machine.path(path))
            except OSError:
                continue  # its CPU went offline just now
            major = os.major(status.st_rdev)
            access.setdefault(describe_access(status), []).append(cpu)
        observed[device] = {
            'major': major,
            'access': {key: '' if cpus == [None] else format_cpulist(cpus) for key, cpus in access.items()},
        }
    return observed


def describe_access(status):
    """Return mode and owners of a file status: ``0660 root:msr``."""
    owner = 'root' if status.st_uid == 0 else str(status.st_uid)
    return '%04o %s:%s' % (stat.S_IMODE(status.st_mode), owner, group_name(status.st_gid))


def group_name(gid):
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def taken_majors(machine):
    """Return {major: driver name} of the character devices, from /proc/devices."""
    text = machine.read_text('/proc/devices') or ''
    majors = {}
    for line in text.partition('Block devices:')[0].splitlines():
        fields = line.split(None, 1)
        if len(fields) == 2 and fields[0].isdigit():
            majors[int(fields[0])] = fields[1]
    return majors


def device_holders(machine):
    """Return who has one of the devices open: ``[{'pid', 'command', 'path'}]``."""
    holders = []
    for pid in machine.list('/proc'):
        if not pid.isdigit():
            continue
        for path in sorted(open_devices(machine, pid)):
            holders.append(
                {
                    'pid': int(pid),
                    'command': machine.read_text('/proc/%s/comm' % pid) or '?',
                    'path': path,
                }
            )
    return holders


def open_devices(machine, pid):
    """Return the msr-safe devices that a process has open."""
    directory = '/proc/%s/fd' % pid
    found = set()
    for descriptor in machine.list(directory):
        try:
            target = os.readlink(machine.path('%s/%s' % (directory, descriptor)))
        except OSError:
            continue
        if target.startswith('/dev/cpu/') and target.rpartition('/')[2] in PARAMETERS:
            found.add(target)
    return found
