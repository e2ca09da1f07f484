# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The configuration files of a node: their paths, and the text each is to have."""

from .active_list import INSTALLED_LIST
from .approved_list import render_list
from .devices import DEVICES, PARAMETERS

MODPROBE = '/etc/modprobe.d/msr-safe.conf'
UDEV = '/etc/udev/rules.d/70-msr-safe.rules'
UNIT = '/etc/systemd/system/msr-safe.service'
UNIT_ENABLED = '/etc/systemd/system/multi-user.target.wants/msr-safe.service'
APPROVED_LIST = INSTALLED_LIST

CONFIGURATION = (MODPROBE, UDEV, UNIT, APPROVED_LIST)

NOTICE = 'Written by Ansible (hpc.msr_safe). Change the variables of the role, not this file.'
HEADING = '# %s\n' % NOTICE

# In the header of the node's list.
SOURCE = 'Source: '
ALLOWED = 'Allowed although unsafe: '

# Names under which programs written for other msr-safe modules look for the approved list.
LIST_SYMLINKS = 'cpu/msr_allowlist cpu/msr_whitelist'


def modprobe_text(majors):
    """Return the modprobe.d(5) file for ``{device: major}``; 0 lets the kernel choose."""
    options = ['%s=%d' % (PARAMETERS[device], majors[device]) for device in DEVICES if majors[device]]
    if not options:
        return HEADING + '# The kernel chooses all major numbers.\n'
    return HEADING + 'options msr_safe %s\n' % ' '.join(options)


def udev_text(group, modes):
    """Return the udev(7) rules for ``{device: mode}``. They also hold for CPUs that come online later."""
    rules = [
        'SUBSYSTEM=="%s", GROUP="%s", MODE="%s"%s\n'
        % (device, group, modes[device], ', SYMLINK+="%s"' % LIST_SYMLINKS if device == 'msr_approved_list' else '')
        for device in DEVICES
    ]
    return HEADING + ''.join(rules)


def unit_text():
    """Return the systemd unit that loads the module and activates the list at boot."""
    return (
        HEADING
        + """
[Unit]
Description=Model-specific registers for users: msr-safe module and approved list
Documentation=https://github.com/hpc-msr-safe/hpc.msr_safe
After=systemd-modules-load.service systemd-udevd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/modprobe msr_safe
ExecStart=/usr/sbin/msr-safe load

[Install]
WantedBy=multi-user.target
"""
    )


def approved_list_text(entries, source, allow_unsafe=()):
    """Return the node's own list file.

    source: says in words where the list comes from. allow_unsafe: addresses
    that the lint did not refuse, so that it does not refuse them at boot.
    """
    addresses = sorted(set(allow_unsafe) & {entry.address for entry in entries})
    header = [NOTICE, SOURCE + source]
    if addresses:
        header.append(ALLOWED + ', '.join('0x%X' % address for address in addresses))
    return render_list(entries, header)


def header_line(text, label):
    """Return what a line of a list's header says behind a label, or '' where there is none."""
    for line in text.splitlines():
        if line.startswith('# ' + label):
            return line[len('# ' + label) :].strip()
    return ''
