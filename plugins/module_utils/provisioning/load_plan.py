# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan to have the wanted module in the running kernel: now, when nobody uses it, or at the next boot."""

from ..errors import MsrSafeError
from ..hardware.devices import DEVICES
from ..hardware.kernel_module import describe_holders
from ..layout import installed_module
from . import actions
from .change import build_change, defer
from .kernel import is_running
from .supply import MAKE, PACKAGE
from .supply_plan import built_here
from .wanted_module import is_supplied, is_wanted_module, module_in_use

# When a module in the kernel is replaced: in this run or not at all; when nobody uses it; at the next boot
RELOADS = NOW, WHEN_IDLE, AT_BOOT = 'now', 'idle', 'boot'


def plan_load(observed, wanted):
    if not is_running(observed):
        return []
    loaded = observed['module']['loaded']
    if loaded is not None and loaded['majors'] == wanted['majors'] and is_of_a_wanted_file(loaded, observed, wanted):
        return []
    title = (
        'load msr_safe' if loaded is None else 'unload msr_safe %s, load %s' % (loaded['version'], wanted['version'])
    )
    change = build_change(
        'load',
        actions.load_module,
        title,
        describe_loaded(loaded['version'], loaded['majors']) if loaded else None,
        describe_loaded(wanted['version'], wanted['majors']),
        disturbs=True,
        kernel_release=observed['kernel_release'],
        ours=brought_by_a_builder(observed, wanted),
    )
    reason = why_not_now(observed['module'], wanted['reload']) if loaded else None
    if not reason:
        return [change]
    return [dict(defer(change, reason), disturbs=wanted['reload'] != AT_BOOT)]


def brought_by_a_builder(observed, wanted):
    """Return the paths of the files of the running kernel's module that a builder can bring again."""
    release = observed['kernel_release']
    return [installed_module(release), built_here(release, wanted)] if wanted['artifact'] else []


def is_of_a_wanted_file(loaded, observed, wanted):
    """Return whether the module in the kernel is that of a wanted file. Who builds the same source does not matter."""
    places = ('supplied',) if wanted['supply'] == PACKAGE else ('installed', 'supplied')
    files = [observed['module'][place] for place in places]
    return any(
        is_wanted_module(file, observed, wanted) and file.get('srcversion') == loaded['srcversion'] for file in files
    )


def why_not_now(module, reload):
    """Return why the module in the kernel is not to be replaced in this run, in words, or None where it is."""
    if reload == AT_BOOT:
        return 'that is for the next boot (msr_safe_reload: boot)'
    if reload == WHEN_IDLE and module['loaded']['users']:
        return 'the module is in use: %s; end that and run the role again, or set msr_safe_reload: boot' % (
            describe_holders(module['holders'])
        )
    return None


def describe_loaded(version, majors):
    numbers = [
        '%s: %s\n' % (device, 'major %d' % majors[device] if majors[device] else 'any major') for device in DEVICES
    ]
    return 'msr_safe %s loaded\n%s' % (version, ''.join(numbers))


def check_signature_policy(observed, wanted, loads):
    """Raise MsrSafeError where the running kernel would not load the module that the changes load."""
    reason = observed['signed_modules_only']
    if not (reason and loads):
        return
    if wanted['supply'] != MAKE:
        return require_signature(observed, wanted, reason)
    module = module_to_load(observed, wanted)
    if not (module['signed'] if module else wanted['sign']):
        raise MsrSafeError(
            'This kernel loads signed modules only: %s. The module that is built here is not signed.' % reason,
            'Have a builder sign it, with a key the kernel trusts (msr_safe_sign_key, msr_safe_sign_certificate, or '
            'msr_safe_sign_command), install a signed one as %s, or boot with module.sig_enforce=0 and Secure Boot off.'
            % installed_module(observed['kernel_release']),
        )


def require_signature(observed, wanted, reason):
    """Raise MsrSafeError where the module that DKMS or a package installed is not signed.

    One that is yet to be built DKMS signs, if it is set up to; whether the kernel trusts its key, the kernel says.
    """
    if is_supplied(observed, wanted) and not module_in_use(observed, wanted)['signed']:
        raise MsrSafeError(
            'This kernel loads signed modules only: %s. %s is not signed.' % (reason, observed['module']['resolved']),
            'DKMS signs with the key that /etc/dkms/framework.conf names (mok_signing_key, mok_certificate; otherwise '
            'one that it makes in /var/lib/dkms), which the kernel has to trust: mokutil --import. Then build anew: '
            'dkms install --force.',
        )


def module_to_load(observed, wanted):
    """Return the module file of the wanted source that is nearest at hand, or None where it is yet to be built."""
    files = [observed['module']['installed'], observed['module']['built']]
    if wanted['artifact']:
        files.append(wanted['artifact']['module'])
    return next((module for module in files if is_wanted_module(module, observed, wanted)), None)
