# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan of DKMS: that it has the wanted source of the module and builds it, or none of the role."""

from ..errors import MsrSafeError
from . import dkms_actions
from .change import build_change
from .dkms import BUILT, INSTALLED, PROGRAM, source_directory
from .own_packages import is_packaged_source
from .packages_plan import install_packages


def plan_no_dkms(observed, stage, kept=()):
    """Plan to take from DKMS what the role gave it, but for versions that are kept. A package's is the package's."""
    return [
        build_change(
            stage,
            dkms_actions.take_source_from_dkms,
            'take msr-safe %s from DKMS' % version,
            source_directory(version) + '\n',
            None,
            version=version,
            path=source_directory(version),
        )
        for version, digest in sorted(observed['dkms']['sources'].items())
        if digest and version not in kept and not is_packaged_source(observed['packages'], version)
    ]


def plan_dkms_source(observed, wanted):
    """Plan to have DKMS know the wanted source, and be there. Raises MsrSafeError where another one is in its place."""
    version, dkms = wanted['version'], observed['dkms']
    if version in dkms['sources'] and dkms['sources'][version] is None:
        raise MsrSafeError(
            '%s is of another msr-safe, and is to hold ours.' % source_directory(version),
            'Take it away (dkms remove -m msr-safe -v %s --all; rm -r %s), or leave msr_safe_build_with: dkms out.'
            % (version, source_directory(version)),
        )
    if is_given_to_dkms(observed, wanted):
        return []
    return [
        *plan_dkms_program(observed, wanted),
        build_change(
            'build',
            dkms_actions.give_source_to_dkms,
            'give msr-safe %s to DKMS' % version,
            source_directory(version) + '\n' if version in dkms['sources'] else None,
            source_directory(version) + '\n',
            version=version,
            content=wanted['dkms']['content'],
        ),
    ]


def is_given_to_dkms(observed, wanted):
    """Return whether DKMS knows the wanted source."""
    dkms, version = observed['dkms'], wanted['version']
    return dkms['sources'].get(version) == wanted['dkms']['digest'] and version in dkms['builds']


def plan_dkms_program(observed, wanted):
    """Plan to install DKMS where it is missing. Raises MsrSafeError where that is not to be."""
    if observed['dkms']['program']:
        return []
    manager = observed['build']['package_manager']
    if not (manager and wanted['install_packages']):
        raise MsrSafeError(
            'DKMS is to build the module, and this node does not have it (%s).' % PROGRAM,
            'Install the package dkms (on EL it is in EPEL), or let it be installed: msr_safe_install_packages.',
        )
    return [install_packages(manager, ['dkms'])]


def build_with_dkms(observed, version):
    """Return the change by which DKMS builds a version of its source for a kernel."""
    title = 'have DKMS build msr-safe %s for kernel %s' % (version, observed['kernel_release'])
    return change_of_dkms(observed, version, 'build', dkms_actions.build_with_dkms, title, BUILT)


def install_with_dkms(observed, version):
    """Return the change by which DKMS installs what it built for a kernel."""
    title = 'have DKMS install msr-safe %s for kernel %s' % (version, observed['kernel_release'])
    return change_of_dkms(observed, version, 'install', dkms_actions.install_with_dkms, title, INSTALLED)


def change_of_dkms(observed, version, stage, action, title, state):
    release = observed['kernel_release']
    before = observed['dkms']['builds'].get(version, {}).get(release)
    return build_change(
        stage,
        action,
        title,
        describe_build(version, release, before) if before else None,
        describe_build(version, release, state),
        version=version,
        kernel_release=release,
    )


def describe_build(version, release, state):
    return 'msr-safe/%s, %s: %s\n' % (version, release, state)
