# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Module files of a node, judged by what is wanted: source, kernel, signature."""

from ..hardware.module_file import has_vermagic
from .dkms import INSTALLED
from .dkms_plan import is_given_to_dkms
from .own_packages import fits
from .supply import DKMS, MAKE, PACKAGE


def is_of_ours(module):
    """Return whether a module file is one that this collection built."""
    return bool(module) and 'source_digest' in module


def is_ours(module):
    """Return whether the module in the kernel is one that this collection built."""
    files = [module[place] for place in ('installed', 'built', 'supplied')]
    ours = [file.get('srcversion') for file in files if is_of_ours(file)]
    return bool(module['loaded']) and module['loaded']['srcversion'] in ours


def is_of_wanted_source(module, wanted):
    """Return whether a module was built from the wanted source; from a package, another patch release fits, too."""
    if wanted['supply'] == PACKAGE:
        return fits(module.get('version'), wanted['version'])
    return module.get('source_digest') == wanted['source_digest']


def is_wanted_module(module, observed, wanted):
    """Return whether a module file was built from the wanted source, for the kernel as it is, and signed if wanted.

    wanted: of it, supply, source_digest, version and sign.
    """
    return (
        module is not None
        and is_of_wanted_source(module, wanted)
        and has_vermagic(module, observed['kernel_release'], observed['vermagic'])
        and (module['signed'] or not wanted['sign'])
    )


def module_in_use(observed, wanted):
    """Return the module file that modprobe is to load: in the role's place, or wherever DKMS or a package put it."""
    return observed['module']['installed' if wanted['supply'] == MAKE else 'supplied']


def is_supplied(observed, wanted):
    """Return whether the module for a kernel is where it belongs, as wanted."""
    if not is_wanted_module(module_in_use(observed, wanted), observed, wanted):
        return False
    if wanted['supply'] != DKMS:
        return True
    builds = observed['dkms']['builds'].get(wanted['version'], {})
    return is_given_to_dkms(observed, wanted) and builds.get(observed['kernel_release']) == INSTALLED


def describe_module(module):
    return 'msr-safe %s\n' % module.get('version', 'damaged') if module else None
