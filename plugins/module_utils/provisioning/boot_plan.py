# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan of the next boots: the service that brings everything back, and what tells of a kernel without a module."""

from . import actions
from .change import build_change
from .file_plan import plan_file, plan_no_file
from .files import HOOKS, UNIT, VENDOR_UNIT, hook_text, unit_text
from .kernel import is_running
from .supply import PACKAGE


def plan_boot(observed, wanted):
    if wanted['supply'] == PACKAGE:
        changes = plan_no_file(observed, 'boot', UNIT)
    else:
        changes = plan_file(observed, 'boot', UNIT, unit_text())
    if changes or not observed['service_enabled']:
        changes.append(
            build_change(
                'boot',
                actions.enable_service,
                'enable msr-safe.service' if observed['running'] else LEFT_TO_BOOT,
                'enabled\n' if observed['service_enabled'] else None,
                'enabled\n',
                start=is_running(observed),
                unit=VENDOR_UNIT if wanted['supply'] == PACKAGE else UNIT,
            )
        )
    return [dict(change, disturbs=True) for change in changes] + plan_hook(observed)


# What the role does on a node and not to an image
LEFT_TO_BOOT = (
    'enable msr-safe.service by a link: on a node that boots the image it loads the module, activates the list of the '
    "node's CPU, and has registers hold the policy"
)


def plan_hook(observed):
    """Plan to have the package manager say when it installs a kernel for which there is no module."""
    path = HOOKS.get(observed['build']['package_manager'])
    return [dict(change, mode='0755') for change in plan_file(observed, 'boot', path, hook_text())] if path else []
