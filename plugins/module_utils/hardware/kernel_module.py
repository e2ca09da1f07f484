# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The kernel module msr_safe: loaded or not, loading and unloading it."""

import re

from ..errors import MsrSafeError
from .devices import PARAMETERS, ROLE_REMEDY, device_holders

NAME = 'msr_safe'
SYSFS = '/sys/module/msr_safe'


def observe_loaded_module(machine):
    """Return the module in the kernel, or None.

    Shape: ``{'version': str or None, 'srcversion': str or None, 'users': int,
    'majors': {device: int asked for}}``.
    """
    if not machine.exists(SYSFS):
        return None
    majors = {}
    for device, parameter in PARAMETERS.items():
        majors[device] = read_number(machine, '%s/parameters/%s' % (SYSFS, parameter))
    return {
        'version': machine.read_text(SYSFS + '/version'),
        'srcversion': machine.read_text(SYSFS + '/srcversion'),
        'users': read_number(machine, SYSFS + '/refcnt'),
        'majors': majors,
    }


def read_number(machine, path):
    """Return the number in a file of /sys; 0 where there is no file, or no number in it."""
    text = machine.read_text(path) or ''
    return int(text) if re.match('[0-9]+\\Z', text) else 0


def observe_signature_policy(machine):
    """Return why this kernel loads signed modules only, in words, or None where it loads any."""
    if machine.read_text('/sys/module/module/parameters/sig_enforce') == 'Y':
        return 'it enforces module signatures (sig_enforce)'
    lockdown = machine.read_text('/sys/kernel/security/lockdown') or ''
    if '[integrity]' in lockdown or '[confidentiality]' in lockdown:
        return 'it is locked down (/sys/kernel/security/lockdown: %s)' % lockdown
    return None


def load_module(machine):
    """Load the installed module with the options of modprobe.d. Raises MsrSafeError."""
    code, output = machine.run(['modprobe', NAME])
    if code != 0:
        raise MsrSafeError(
            'The kernel does not load %s: %s' % (NAME, output.strip()),
            'What it said: %s' % (kernel_log(machine) or 'nothing in the log; try dmesg'),
        )


def load_at_boot(machine):
    """Load the installed module, unless it is in the kernel. Raises MsrSafeError of one line, for the journal."""
    code, output = machine.run(['modprobe', NAME])
    if code == 0:
        return
    release = machine.read_text('/proc/sys/kernel/osrelease')
    if 'not found' in output:
        raise MsrSafeError(
            'There is no module msr_safe for kernel %s on this node: no user may use registers. %s'
            % (release, ROLE_REMEDY)
        )
    raise MsrSafeError(
        'Kernel %s does not load the module msr_safe: %s: no user may use registers; dmesg may say more.'
        % (release, ' '.join(output.split()))
    )


def unload_module(machine):
    """Unload the module. Raises MsrSafeError that names who holds it where it is in use."""
    refuse_if_held(machine)
    code, output = machine.run(['modprobe', '-r', NAME])
    if code != 0:
        raise MsrSafeError('The kernel does not unload %s: %s' % (NAME, output.strip()), holder_remedy())


def refuse_if_held(machine):
    """Raise MsrSafeError that names the holders where the loaded module is in use."""
    loaded = observe_loaded_module(machine)
    if not loaded or not loaded['users']:
        return
    raise MsrSafeError(
        'The module msr_safe is in use: %s.' % describe_holders(device_holders(machine)), holder_remedy()
    )


def describe_holders(holders):
    if not holders:
        return 'the kernel counts users, but no process of /proc has a device open'
    return '; '.join('%s (pid %d) has %s open' % (one['command'], one['pid'], one['path']) for one in holders)


def holder_remedy():
    return 'End these programs (or drain the node) and run this again: a module in use is not torn out.'


def kernel_log(machine, lines=5):
    """Return the last lines that the module, or the kernel about it, wrote to the kernel log."""
    _dummy, output = machine.run(['dmesg'])
    about = [line for line in output.splitlines() if 'msr_safe' in line or 'msr-safe' in line]
    return '\n'.join(about[-lines:])
