# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan of files of others that are in the way: set aside where that is wanted, or refused."""

from ..errors import MsrSafeError
from . import actions
from .change import build_change
from .others import PACKAGED
from .supply import PACKAGE
from .wanted_module import is_of_ours


def plan_others(observed, wanted):
    """Plan to set files of others aside that are in the way. Raises MsrSafeError unless that is wanted."""
    others = [other for other in observed['others'] if not is_used(other, observed, wanted)]
    stay = [other for other in others if not (wanted['take_over'] and other['wholly'])]
    if stay:
        raise MsrSafeError(
            'Others on this node are in the way of msr-safe:\n%s' % '\n'.join(map(describe_other, stay)),
            ' '.join(remedies(stay)),
        )
    return [
        build_change(
            'install',
            actions.set_aside,
            'set aside %s%s' % (other['path'], of_package(other)),
            other['path'] + '\n',
            None,
            path=other['path'],
            kernel_releases=[observed['kernel_release'], *(kernel['kernel_release'] for kernel in observed['kernels'])],
        )
        for other in others
    ]


def is_used(other, observed, wanted):
    """Return whether a file of others is one to use: of a package of this collection, or a site's own module."""
    supplied = [kernel['module']['supplied'] for kernel in (observed, *observed['kernels'])]
    paths = [module['path'] for module in supplied if is_of_ours(module)]
    return wanted['supply'] == PACKAGE and (other['kind'] == PACKAGED or other['path'] in paths)


def remedies(others):
    """Return what to do about files of others, sentences."""
    packages = sorted({other['package'] for other in others if other['kind'] == PACKAGED})
    if packages:
        yield 'Have the role use the packages (msr_safe_from_package: true), or remove them: %s.' % ', '.join(packages)
    if any(other['kind'] != PACKAGED for other in others):
        yield 'Take that away, or have whole files renamed to end in .set-aside (msr_safe_take_over: true).'
        yield 'Lines in files that have others, too, are yours to take out.'


def describe_other(other):
    """Return a file of others in words: ``/usr/sbin/msrsave (package x) is where ours belongs``."""
    return '%s%s %s' % (other['path'], of_package(other), other['what'])


def of_package(other):
    return ' (package %s)' % other['package'] if other['package'] else ''
