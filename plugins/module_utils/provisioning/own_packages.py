# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The packages of this collection (`make packages`) on a node: what each brings, and which versions fit.

Each brings a mark, a file with its version: where dpkg or rpm is not asked, as a node that is as wanted is to cost
next to nothing, and in the tree of an image too.
"""

from ..errors import MsrSafeError
from ..layout import COMMANDS, LIBRARY
from .dkms import source_directory
from .files import VENDOR_UDEV, VENDOR_UNIT

# The commands, unit and rules; the source of the module, for DKMS
TOOLS, SOURCE = OWN_PACKAGES = ('hpc-msr-safe', 'hpc-msr-safe-dkms')

MARKS = '/usr/share/msr-safe/packages'


def mark_path(package):
    return '%s/%s' % (MARKS, package)


def observe_own_packages(machine):
    """Return which of our packages a node has: ``{name: version}``."""
    found = {package: machine.read_text(mark_path(package)) for package in OWN_PACKAGES}
    return {package: version for package, version in found.items() if version}


def paths_of_package(package, version):
    """Return the paths by which people know what a package of ours brought."""
    if package == SOURCE:
        return [source_directory(version)]
    return [*sorted(COMMANDS), LIBRARY, VENDOR_UNIT, VENDOR_UDEV]


def is_packaged_source(packages, version):
    """Return whether the source of a version in /usr/src is a package's. packages: from observe_own_packages."""
    return packages.get(SOURCE) == version


def fits(version, wanted):
    """Return whether what has a version keeps the contract of another: the numbers before the second dot are equal."""
    return version is not None and version.split('.')[:2] == wanted.split('.')[:2]


def require_packages(packages, wanted):
    """Raise MsrSafeError where a node lacks the package with the commands, or one does not fit a version."""
    if TOOLS not in packages:
        raise MsrSafeError(
            'msr-safe is to come from the package %s, and this node does not have it.' % TOOLS,
            'Install it, and %s (make packages builds both), or have the role install msr-safe itself: '
            'msr_safe_from_package: false.' % SOURCE,
        )
    for package, version in sorted(packages.items()):
        if not fits(version, wanted):
            raise MsrSafeError(
                'The package %s on this node is %s, and does not fit this collection, which is %s.'
                % (package, version, wanted),
                'Install %s %s.x on the node, or use version %s.x of the collection.'
                % (package, *['.'.join(each.split('.')[:2]) for each in (wanted, version)]),
            )
