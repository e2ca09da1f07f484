# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan to install packages: what building a module needs, as far as it is missing."""

from . import actions
from .change import build_change
from .packages import require_tools


def plan_tools(build, release, installs):
    """Plan to install what building needs, where that is wanted. Raises MsrSafeError where it cannot be had.

    build: as from observe_build, of the host that builds.
    """
    require_tools(build, release, installs)
    packages = build['missing_packages']
    if not packages:
        return []
    return [install_packages(build['package_manager'], packages)]


def install_packages(manager, packages):
    return build_change(
        'build',
        actions.install_packages,
        'install with %s: %s' % (manager, ', '.join(packages)),
        None,
        ''.join(name + '\n' for name in packages),
        manager=manager,
        packages=packages,
    )
