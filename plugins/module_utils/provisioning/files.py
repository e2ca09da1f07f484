# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The configuration files of a node: their paths, and the text each is to have."""

from ..approved_lists.active import INSTALLED_LIST, LISTS
from ..hardware.devices import DEVICES, PARAMETERS
from ..layout import NOTICE

MODPROBE = '/etc/modprobe.d/msr-safe.conf'
UDEV = '/etc/udev/rules.d/70-msr-safe.rules'
SYSCTL = '/etc/sysctl.d/70-msr-safe.conf'
UNIT = '/etc/systemd/system/msr-safe.service'
UNIT_ENABLED = '/etc/systemd/system/multi-user.target.wants/msr-safe.service'
# Where a package has its own; what is in /etc under the same name goes before it
VENDOR_UDEV = '/usr/lib/udev/rules.d/70-msr-safe.rules'
VENDOR_UNIT = '/usr/lib/systemd/system/msr-safe.service'
APPROVED_LIST = INSTALLED_LIST
APPROVED_LISTS = LISTS

# What a package manager runs when it installed a kernel: of Debian's run-parts, and of kernel-install(8)
HOOKS = {'apt-get': '/etc/kernel/postinst.d/zz-msr-safe', 'dnf': '/etc/kernel/install.d/95-msr-safe.install'}

CONFIGURATION = (MODPROBE, UDEV, SYSCTL, UNIT, APPROVED_LIST)

HEADING = '# %s\n' % NOTICE

# Names under which programs written for other msr-safe modules look for the approved list.
LIST_SYMLINKS = 'cpu/msr_allowlist cpu/msr_whitelist'


def modprobe_text(majors):
    """Return the modprobe.d(5) file for ``{device: major}``; 0 lets the kernel choose."""
    options = ['%s=%d' % (PARAMETERS[device], majors[device]) for device in DEVICES if majors[device]]
    if not options:
        return HEADING + '# The kernel chooses all major numbers.\n'
    return HEADING + 'options msr_safe %s\n' % ' '.join(options)


def without_comments(text):
    """Return what a configuration file says to the program that reads it."""
    return [line for line in (text or '').splitlines() if line and not line.startswith('#')]


def udev_text(group, modes):
    """Return the udev(7) rules for ``{device: mode}``. They also hold for CPUs that come online later."""
    rules = [
        'SUBSYSTEM=="%s", GROUP="%s", MODE="%s"%s\n'
        % (device, group, modes[device], ', SYMLINK+="%s"' % LIST_SYMLINKS if device == 'msr_approved_list' else '')
        for device in DEVICES
    ]
    return HEADING + ''.join(rules)


WATCHDOG_WAS_ON = '# It was on before.\n'


def sysctl_text(was_on):
    """Return the sysctl.d(5) file that keeps the kernel's NMI watchdog off the performance counters."""
    reason = '# The counter that it counts on is one that users may program.\n'
    return HEADING + reason + (WATCHDOG_WAS_ON if was_on else '') + 'kernel.nmi_watchdog = 0\n'


def unit_text():
    """Return the systemd unit that loads the module, activates the list and applies the policy at boot."""
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
ExecStart=/usr/sbin/msr-safe load --module
ExecStart=/usr/sbin/msr-safe policy apply

[Install]
WantedBy=multi-user.target
"""
    )


def hook_text():
    """Return the script that says, when a kernel is installed, that there is no module for it yet."""
    return (
        '#!/bin/sh\n'
        + HEADING
        + """
# kernel-install(8) says add or remove before the kernel, Debian's packages say nothing
case $1 in
    add) shift ;;
    remove) exit 0 ;;
esac
# DKMS, whose own script comes before this one, puts it elsewhere, and may compress it
for module in "/lib/modules/$1"/updates/msr-safe.ko* "/lib/modules/$1"/updates/dkms/msr-safe.ko* \\
    "/lib/modules/$1"/extra/msr-safe.ko*; do
    [ ! -e "$module" ] || exit 0
done
echo "msr-safe: there is no module for kernel $1 yet. Apply the role hpc.msr_safe.msr_safe" \\
    "(with msr_safe_kernels: installed) before this node boots it." >&2
exit 0
"""
    )
