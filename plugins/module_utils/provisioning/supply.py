# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The supply of the kernel module: the role, with make; DKMS on the node; or a package that the node has."""

from ..errors import MsrSafeError

SUPPLIES = MAKE, DKMS, PACKAGE = 'make', 'dkms', 'package'


def supply_of(settings):
    """Return which of SUPPLIES the options of msr_safe_plan mean. Raises MsrSafeError where they are at odds."""
    supply = PACKAGE if settings['from_package'] else settings['build_with']
    if supply == MAKE:
        return supply
    who = 'msr_safe_from_package: true' if supply == PACKAGE else 'msr_safe_build_with: dkms'
    if settings['artifacts'] is not None:
        raise MsrSafeError(
            '%s needs no builder: the module comes from the node itself.' % who,
            'Leave msr_safe_builder empty for this node, or that out.',
        )
    if any(settings['sign_' + name] for name in ('key', 'certificate', 'command')):
        raise MsrSafeError(
            '%s does not sign with msr_safe_sign_…, which are for a builder.' % who,
            'DKMS signs with a key of its own: mok_signing_key and mok_certificate in /etc/dkms/framework.conf.',
        )
    return supply
