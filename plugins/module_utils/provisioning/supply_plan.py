# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan to have the module for a kernel where modprobe finds it: built, from DKMS, or from a package."""

import os

from ..errors import MsrSafeError
from ..layout import built_module, installed_module
from . import actions
from .change import build_change
from .dkms import BUILT, DIFFERENT
from .dkms_plan import build_with_dkms, install_with_dkms, is_given_to_dkms, plan_no_dkms
from .file_plan import remove_path
from .others import PACKAGED
from .own_packages import SOURCE
from .packages_plan import plan_tools
from .supply import DKMS, MAKE, PACKAGE
from .wanted_module import describe_module, is_of_ours, is_supplied, is_wanted_module


def plan_supply(observed, wanted, former=()):
    """Plan to have the module for a kernel where modprobe finds it, from who is to supply it.

    former: changes that take away what was there before. They come when the new module is built: if it cannot be, the
    node boots with the old one.
    """
    if wanted['supply'] == MAKE:
        return [*plan_build(observed, wanted), *former, *plan_module(observed, wanted)]
    version = wanted['version'] if wanted['supply'] == DKMS else packaged_version(observed, wanted)
    former = [*former, *plan_no_own_module(observed)]
    if is_supplied(observed, wanted):
        return [*former, *plan_finding(observed)]
    return [*plan_dkms_build(observed, wanted, version), *former, install_with_dkms(observed, version)]


def plan_former_supply(observed, wanted):
    """Plan to take away what supplied the module in another way, of kernels that are not asked for.

    And from DKMS, which does that for all kernels at once.
    """
    changes = plan_no_dkms(observed, 'install', [wanted['version']] if wanted['supply'] == DKMS else [])
    if wanted['supply'] == MAKE:
        return changes
    asked_for = [kernel['kernel_release'] for kernel in (observed, *observed['kernels'])]
    releases = [release for release in observed['traces']['kernel_releases'] if release not in asked_for]
    return changes + [uninstall('install', release) for release in releases]


def plan_no_own_module(observed):
    """Plan to take away the module that the role built and installed for a kernel."""
    release, built = observed['kernel_release'], observed['module']['built']
    changes = [uninstall('install', release)] if release in observed['traces']['kernel_releases'] else []
    return changes + ([remove_path('install', os.path.dirname(built['path']))] if is_of_ours(built) else [])


def plan_dkms_build(observed, wanted, version):
    """Plan to have DKMS build a version of its source for a kernel, unless it has."""
    state = observed['dkms']['builds'].get(version, {}).get(observed['kernel_release'])
    is_given = wanted['supply'] == PACKAGE or is_given_to_dkms(observed, wanted)
    if is_given and state in (BUILT, DIFFERENT):
        return []
    tools = plan_tools(observed['build'], observed['kernel_release'], wanted['install_packages'])
    return [*tools, build_with_dkms(observed, version)]


def packaged_version(observed, wanted):
    """Return the version of the module's source that a package brought, None where the module came without.

    Raises MsrSafeError where there is neither.
    """
    if not is_supplied(observed, wanted) and SOURCE not in observed['packages']:
        raise MsrSafeError(
            'No package on this node brought a module msr-safe %s for kernel %s.'
            % (wanted['version'], observed['kernel_release']),
            'Install %s, which has DKMS build it, or a package of your own with the module.' % SOURCE,
        )
    return observed['packages'].get(SOURCE)


def plan_build(observed, wanted):
    """Plan to build on the node, or on a builder, from whose artifact the node gets its copy."""
    if is_wanted_module(observed['module']['installed'], observed, wanted):
        return []
    if is_wanted_module(observed['module']['built'], observed, wanted):
        return []
    release, artifact = observed['kernel_release'], wanted['artifact']
    build = build_change(
        'build',
        actions.build_module,
        'build msr-safe %s for kernel %s' % (wanted['version'], release),
        describe_module(observed['module']['built']),
        'msr-safe %s\n' % wanted['version'],
        path=built_module(release, wanted['build_directory']),
        kernel_release=release,
        vermagic=observed['vermagic'],
        version=wanted['version'],
        source_digest=wanted['source_digest'],
        sign=wanted['sign'],
        artifact=artifact and artifact['path'],
    )
    if artifact is None:
        return [*plan_tools(observed['build'], release, wanted['install_packages']), build]
    deliver = build_change(
        'deliver',
        actions.deliver_module,
        'copy msr-safe %s for kernel %s to the node' % (wanted['version'], release),
        None,
        'msr-safe %s\n' % wanted['version'],
        path=built_here(release, wanted),
        artifact=artifact['path'],
    )
    return [deliver] if is_wanted_module(artifact['module'], observed, wanted) else [build, deliver]


def built_here(release, wanted):
    """Return where a node keeps what it built, or was sent by a builder, whose directory is another host's."""
    return built_module(release) if wanted['artifact'] else built_module(release, wanted['build_directory'])


def plan_module(observed, wanted):
    """Plan to have the module where modprobe finds it for a kernel."""
    installed, release = observed['module']['installed'], observed['kernel_release']
    if is_wanted_module(installed, observed, wanted):
        return plan_finding(observed)
    return [
        build_change(
            'install',
            actions.install_module,
            'install %s' % installed_module(release),
            describe_module(installed),
            'msr-safe %s\n' % wanted['version'],
            path=installed_module(release),
            built=built_here(release, wanted),
            kernel_release=release,
        )
    ]


def plan_finding(observed):
    """Plan to have modprobe find the installed module, where depmod has not seen it."""
    release = observed['kernel_release']
    if observed['module']['resolved'] or any(other['kind'] != PACKAGED for other in observed['others']):
        return []
    title = 'have modprobe find %s' % installed_module(release)
    return [build_change('install', actions.find_modules, title, None, None, kernel_release=release)]


def uninstall(stage, release):
    """Return the change that takes away the module that the role installed for a kernel."""
    path = installed_module(release)
    return build_change(
        stage, actions.uninstall_module, 'remove ' + path, path + '\n', None, path=path, kernel_release=release
    )
