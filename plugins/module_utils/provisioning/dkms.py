# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""DKMS on a node: which sources of our module it has, what it built of them, and the configuration it gets."""

import re

from ..hardware.module_file import examine_module_file
from ..layout import NOTICE, supplied_modules
from .tree import digest_tree, read_tree

NAME = 'msr-safe'
PROGRAM = '/usr/sbin/dkms'
SOURCES = '/usr/src'
TREE = '/var/lib/dkms'
CONFIGURATION = 'dkms.conf'

# Its words for a module that it has built, and put where modprobe finds it; and ours for another one in that place
BUILT, INSTALLED, DIFFERENT = 'built', 'installed', 'different'

# msr-safe/2.0.0, 6.1.0-18-amd64, x86_64: installed (WARNING! …); before DKMS 3 with a comma for the slash
STATUS = re.compile(r'msr-safe(?:/|, )([^,:]+)(?:, ([^,]+), [^:]+)?: ([a-z-]+)(.*)')


def source_directory(version):
    return '%s/%s-%s' % (SOURCES, NAME, version)


def built_log(version):
    """Return where DKMS keeps what the compiler said of the last build that failed."""
    return '%s/%s/%s/build/make.log' % (TREE, NAME, version)


def dkms_text(version, source_digest):
    """Return dkms.conf for a version of the module. KERNELRELEASE and -j, DKMS puts behind ``make`` by itself."""
    return """\
# %s
PACKAGE_NAME="%s"
PACKAGE_VERSION="%s"
BUILT_MODULE_NAME[0]="%s"
DEST_MODULE_LOCATION[0]="/updates/dkms"
MAKE[0]="make KERNEL_RELEASE=${kernelver} KDIR=${kernel_source_dir} VERSION=%s SOURCE_DIGEST=%s"
CLEAN="make clean KERNEL_RELEASE=${kernelver} KDIR=${kernel_source_dir}"
BUILD_EXCLUSIVE_ARCH="x86_64"
BUILD_EXCLUSIVE_KERNEL="^(5\\.[1-9][0-9]|[6-9]\\.|[1-9][0-9]+\\.)"
AUTOINSTALL="yes"
""" % (NOTICE, NAME, version, NAME, version, source_digest)


def observe_dkms(machine):
    """Return what DKMS has of our module.

    Shape: ``{'program': is DKMS there, 'sources': {version: digest of its tree, None where it is no source of ours},
    'builds': {version: {release: its state, a word of dkms(8), or DIFFERENT}}}``. A version that DKMS knows and has
    not built for any kernel has ``{}``. It is only asked where there is a source, as that takes a second.
    """
    ours = sources_of_ours(machine)
    sources = {
        directory[len(source_directory('')) :]: digest_tree(read_tree(machine.path(directory)))
        if directory in ours
        else None
        for directory in sources_of_all(machine)
    }
    has_program = machine.exists(PROGRAM)
    return {
        'program': has_program,
        'sources': sources,
        'builds': read_builds(machine) if has_program and ours else {},
    }


def sources_of_all(machine):
    """Return the directories of sources for DKMS that have the name of our module."""
    directories = ['%s/%s' % (SOURCES, name) for name in machine.list(SOURCES) if name.startswith(NAME + '-')]
    return [directory for directory in directories if machine.exists('%s/%s' % (directory, CONFIGURATION))]


def sources_of_ours(machine):
    """Return those of this collection, and not of another msr-safe."""
    return [
        directory
        for directory in sources_of_all(machine)
        if b'hpc.msr_safe' in (machine.read('%s/%s' % (directory, CONFIGURATION)) or b'')
    ]


def read_builds(machine):
    """Return what DKMS says that it built, as in observe_dkms."""
    _code, output = machine.run(['dkms', 'status', '-m', NAME])
    return parse_status(output)


def parse_status(text):
    """Return what ``dkms status`` prints as ``{version: {release: state}}``."""
    builds = {}
    for line in text.splitlines():
        status = STATUS.match(line.strip())
        if not status:
            continue
        version, release, state, remarks = status.groups()
        of_version = builds.setdefault(version, {})
        if release:
            of_version[release] = DIFFERENT if 'Diff between' in remarks else state
    return builds


def built_by_dkms(machine, release, dkms):
    """Return the path of the module that DKMS installed for a kernel from a source of ours, or None."""
    builds = [
        releases.get(release)
        for version, releases in dkms['builds'].items()
        if dkms['sources'].get(version) is not None
    ]
    if not {INSTALLED, DIFFERENT} & set(builds):
        return None
    ours = [path for path in supplied_modules(release) if 'source_digest' in (examine_module_file(machine, path) or {})]
    return ours[0] if ours else None
