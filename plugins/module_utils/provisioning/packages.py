# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The packages that building a kernel module needs: their names, by distribution and kernel, and installing them."""

import re

from ..errors import MsrSafeError

# The first that a machine has is its package manager
MANAGERS = ('apt-get', 'dnf', 'yum', 'zypper')

INSTALL = {
    'apt-get': 'env DEBIAN_FRONTEND=noninteractive '
    'apt-get -y -o DPkg::Lock::Timeout=120 --no-install-recommends install',
    'dnf': 'dnf -y install',
    'yum': 'yum -y install',
    'zypper': 'zypper --non-interactive install --no-recommends',
}

# objtool, which the headers of these distributions build with, is linked with it
LIBELF = {'dnf': 'elfutils-libelf-devel', 'yum': 'elfutils-libelf-devel', 'zypper': 'libelf-devel'}

NO_LONGER_SERVED = (
    'If the distribution no longer has the headers of this kernel, boot one that it serves, or have a host build that '
    'has them (msr_safe_builder).'
)


def package_manager(machine):
    """Return the one of MANAGERS that a machine has, or None."""
    found = [manager for manager in MANAGERS if machine.exists('/usr/bin/' + manager)]
    return found[0] if found else None


def headers_package(manager, release):
    """Return the package with the headers of exactly this kernel, as its manager takes it; None where that is unknown.

    Facts: Debian and Ubuntu name linux-headers after uname -r. Red Hat's kernel-devel has uname -r as its version, less
    the flavour behind a plus, which is in the package's name; Oracle's and Amazon's have names of their own. SUSE's
    kernel-FLAVOUR-devel provides its name with the version of uname -r, which lacks the package's count of rebuilds.
    """
    if manager == 'apt-get':
        return 'linux-headers-' + release
    if manager == 'zypper':
        version, _dash, flavour = release.rpartition('-')
        # A release candidate's package has a tilde in its version
        is_known = re.match('[a-z0-9_]*[a-z]\\Z', flavour) and '-rc' not in version
        return 'kernel-%s-devel=%s' % (flavour, version) if is_known else None
    if manager in ('dnf', 'yum'):
        return red_hat_headers(release)
    return None


def red_hat_headers(release):
    kernel, plus, flavour = release.partition('+')
    if re.search(r'\.el[0-9]+uek\.[a-z0-9_]+\Z', release):
        return 'kernel-uek-devel-' + release
    if re.search(r'\.amzn2023\.[a-z0-9_]+\Z', release):
        # Its first kernel has the plain name, later ones their version in it
        series = '.'.join(kernel.split('.')[:2])
        return 'kernel%s-devel-%s' % ('' if series == '6.1' else series, kernel)
    if re.search(r'\.(el[0-9]+(_[0-9]+)?|fc[0-9]+|amzn2)\.[a-z0-9_]+\Z', kernel):
        # Before 9.3 the realtime kernel is a package of its own, and no flavour
        flavours = (['rt'] if re.search(r'\.rt[0-9]+\.[0-9]+\.', kernel) else []) + ([flavour] if plus else [])
        return '-'.join(['kernel', *flavours, 'devel', kernel]) if all(flavours) else None
    return None


def observe_build(machine, release):
    """Return what building for a kernel needs and the machine has.

    Shape: ``{'headers': path or None, 'headers_package': as headers_package, 'package_manager': one of MANAGERS or
    None, 'missing_packages': [str], those that are known}``.
    """
    headers, manager = '/lib/modules/%s/build' % release, package_manager(machine)
    has_headers = machine.exists(headers + '/Makefile')
    package = headers_package(manager, release)
    missing = [] if has_headers else [name for name in (package, LIBELF.get(manager)) if name]
    missing += [program for program in ('gcc', 'make') if not machine.exists('/usr/bin/' + program)]
    return {
        'headers': headers if has_headers else None,
        'headers_package': package,
        'package_manager': manager,
        'missing_packages': missing,
    }


def require_tools(build, release, installs):
    """Raise MsrSafeError where a machine, as from observe_build, cannot build for a kernel.

    installs: whether what is missing is about to be installed, as far as its package is known.
    """
    missing = build['missing_packages']
    if not build['headers'] and not (installs and build['headers_package']):
        package = build['headers_package'] or 'them (which package has the headers of this kernel is not known here)'
        raise MsrSafeError(
            'There are no kernel headers for %s to build with: /lib/modules/%s/build is missing.' % (release, release),
            'Install %s. %s' % (package, NO_LONGER_SERVED),
        )
    if missing and not (installs and build['package_manager']):
        raise MsrSafeError(
            'Building for kernel %s needs %s.' % (release, ', '.join(missing)),
            'Install that, or let it be installed: msr_safe_install_packages.',
        )


def install(machine, manager, packages):
    """Install packages. Raises MsrSafeError with what the package manager said."""
    if manager == 'apt-get':
        machine.run(['apt-get', 'update'])  # A mirror that is away may not matter
    code, output = machine.run([*INSTALL[manager].split(), *packages])
    if code != 0:
        lines = [line.strip() for line in output.splitlines() if line.strip()] or ['no output']
        errors = [line for line in lines if re.match('E:|Error|No match|No provider|Package .* not found', line)]
        raise MsrSafeError(
            'Cannot install %s with %s: %s' % (', '.join(packages), manager, (errors or lines[-1:])[0]),
            NO_LONGER_SERVED,
        )
