# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The kernel module msr_safe: loaded or not, loading and unloading it."""

import re

from ..errors import MsrSafeError
from .devices import PARAMETERS, ROLE_REMEDY, device_holders
from .lockdown import STATE as LOCKDOWN
from .lockdown import read_lockdown

NAME = 'msr_safe'
SYSFS = '/sys/module/msr_safe'

# How modprobe words EKEYREJECTED, ENOKEY and, of a kernel that is locked down, EPERM (strerror)
SIGNATURE_REFUSALS = ('Key was rejected by service', 'Required key not available', 'Operation not permitted')
# And the kernel's log (kernel/module/signing.c, security/lockdown), which does not always name the module
SIGNATURE_LOG = ('is rejected', 'unsigned module loading is restricted')


class UntrustedModule(MsrSafeError):
    """The kernel loads signed modules only, and this one has no signature that it trusts."""


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
    reasons = []
    if machine.read_text('/sys/module/module/parameters/sig_enforce') == 'Y':
        reasons.append('enforces module signatures (sig_enforce)')
    lockdown = read_lockdown(machine)
    if lockdown:
        reasons.append('is locked down (%s: %s)' % (LOCKDOWN, lockdown))
    return 'it ' + ' and '.join(reasons) if reasons else None


def load_module(machine):
    """Load the installed module with the options of modprobe.d. Raises MsrSafeError."""
    code, output = machine.run(['modprobe', NAME])
    if code == 0:
        return
    problem = 'The kernel does not load %s: %s' % (NAME, output.strip())
    if is_about_signature(machine, output):
        signature = describe_signature(machine)
        raise UntrustedModule(
            '%s. It loads signed modules only: %s. %s' % (problem, observe_signature_policy(machine), signature),
            'Have this node trust the certificate of the key (mokutil --import, a reboot, and the question at its '
            'console), or sign with a key that it trusts, and run the role again. The kernel said: %s'
            % (kernel_log(machine, SIGNATURE_LOG, 1) or 'nothing in the log; try dmesg'),
        )
    raise MsrSafeError(problem, 'What it said: %s' % (kernel_log(machine) or 'nothing in the log; try dmesg'))


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
    said = ' '.join(output.split())
    if is_about_signature(machine, output):
        said += ': %s' % describe_signature(machine).rstrip('.')
    raise MsrSafeError(
        'Kernel %s does not load the module msr_safe: %s: no user may use registers; dmesg may say more.'
        % (release, said)
    )


def is_about_signature(machine, output):
    """Return whether it is for its signature that the kernel did not load a module, by what modprobe printed."""
    return observe_signature_policy(machine) is not None and any(words in output for words in SIGNATURE_REFUSALS)


def describe_signature(machine):
    """Return a sentence about the signature of the file that modprobe takes."""
    path, signer = (machine.run(['modinfo', '-F', field, NAME])[1].strip() for field in ('filename', 'signer'))
    if not signer:
        return '%s is not signed.' % path
    return '%s is signed by "%s", whose certificate it does not trust.' % (path, signer)


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


def kernel_log(machine, words=(NAME, 'msr-safe'), lines=5):
    """Return the last lines of the kernel log with one of the words; by default, those of the module and about it."""
    _dummy, output = machine.run(['dmesg'])
    about = [line for line in output.splitlines() if any(word in line for word in words)]
    return '\n'.join(about[-lines:])
