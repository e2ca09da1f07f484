# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The kernel of an observed node: whether it is the one that runs, and whether it is too old."""

import re

from ..errors import MsrSafeError

# The oldest kernel that the module is built and tested for (docs/kernel-module.md)
OLDEST_KERNEL = (5, 10)

# As uname -r begins, whatever the distribution; it is also the name of a directory
RELEASE = re.compile(r'[0-9]+\.[0-9]+[^\s/]*')


def check_name(name, variable):
    """Raise MsrSafeError where a name in a variable cannot be that of a kernel."""
    if not RELEASE.fullmatch(name):
        raise MsrSafeError(
            '%s: %r is not the release of a kernel.' % (variable, name),
            'Write what uname -r says there, such as 6.1.0-18-amd64%s.'
            % (', or one of the words running and installed' if variable == 'msr_safe_kernels' else ''),
        )


def is_running(observed):
    return observed['kernel_release'] == observed['running_kernel']


def check_age(release):
    """Raise MsrSafeError where a kernel is older than the module knows."""
    if is_too_old(release):
        raise MsrSafeError(
            'Kernel %s is too old: the module needs Linux %d.%d or later.' % ((release, *OLDEST_KERNEL)),
            'Boot a later kernel, or leave this node out.',
        )


def is_too_old(release):
    version = re.match(r'([0-9]+)\.([0-9]+)', release)
    return bool(version) and tuple(map(int, version.groups())) < OLDEST_KERNEL
