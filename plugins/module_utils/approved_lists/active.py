# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The approved list in force: what the kernel module holds, with the names the node's file gives."""

import errno
import fcntl
import os
import struct

from ..errors import MsrSafeError
from ..hardware.cpu import describe_cpu, list_name, read_cpu
from ..hardware.devices import approved_list_device
from ..layout import SETTINGS
from ..machine import unreadable
from .approved_list import digest_list, parse_entries, parse_list, render_list

# The list that the service activates at boot; also where names and kinds come from.
INSTALLED_LIST = SETTINGS + '/approved_list'
# In an image, the lists of all CPUs that may boot it, by their names: al_0655
LISTS = SETTINGS + '/approved_lists'

# MSR_SAFE_COMMIT, _IO('c', 0xA6), of include/uapi/msr_safe.h; struct msr_safe_commit: u32 size, flags
COMMIT = 0x63A6
COMMIT_ARGUMENT = struct.pack('=II', 8, 0)


def read_active_list(machine):
    """Return the entries in force. Raises MsrSafeError where no module is loaded."""
    device = approved_list_device(machine)
    try:
        with open(machine.path(device), 'rb') as stream:
            text = stream.read().decode('ascii', 'replace')
    except (IOError, OSError) as error:
        raise unreadable(device, error) from error
    return parse_entries(text, device)


def installed_list_path(machine):
    """Return the path of the node's own list: a file of its own, or that for its CPU of those that its image has."""
    if machine.exists(INSTALLED_LIST) or not machine.exists(LISTS):
        return INSTALLED_LIST
    return '%s/%s' % (LISTS, list_name(read_cpu(machine)))


def require_installed_list(machine):
    """Return installed_list_path. Raises MsrSafeError where the image was not prepared for this CPU."""
    path = installed_list_path(machine)
    if path != INSTALLED_LIST and not machine.exists(path):
        raise MsrSafeError(
            'The image of this node was not prepared for its CPU, %s: there is no %s.'
            % (describe_cpu(read_cpu(machine)), path),
            'Apply the role hpc.msr_safe.msr_safe to the image with this CPU, too (msr_safe_cpus), or to this node.',
        )
    return path


def read_installed_list(machine):
    """Return the entries of the node's own list; [] where it is absent."""
    path = installed_list_path(machine)
    text = machine.read_text(path)
    return parse_list(text, path) if text else []


def with_names(entries, named):
    """Return entries with the name and kind that ``named`` gives the same address."""
    by_address = {entry.address: entry for entry in named}
    return [
        entry._replace(name=by_address[entry.address].name, kind=by_address[entry.address].kind)
        if entry.address in by_address
        else entry
        for entry in entries
    ]


def read_named_list(machine):
    """Return the entries in force, with names and kinds from the installed list."""
    return with_names(read_active_list(machine), read_installed_list(machine))


def activate_list(machine, entries):
    """Make ``entries`` the list in force, at once and whole, and read it back.

    Raises MsrSafeError; the list that was in force then still is.
    """
    device = approved_list_device(machine)
    text = render_list(entries) if entries else '\n'
    try:
        descriptor = os.open(machine.path(device), os.O_WRONLY)
        try:
            write_all(descriptor, text.encode('ascii'))
            commit(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise unreadable(device, error) from error
        raise MsrSafeError(
            'The kernel refused the list written to %s: %s.' % (device, error.strerror),
            'The list that was active still is. The kernel log names the line: dmesg | grep msr_safe',
        ) from error
    if digest_list(read_active_list(machine)) != digest_list(entries):
        raise MsrSafeError(
            '%s was written, but another list is active now.' % device,
            'Something else writes lists on this node: find it, then activate this one again.',
        )


def commit(descriptor):
    """Put in force what was written. Raises OSError where it is not, whoever else has the device open.

    Modules that cannot be asked put it in force when the descriptor closes.
    """
    try:
        fcntl.ioctl(descriptor, COMMIT, COMMIT_ARGUMENT)
    except OSError as error:
        if error.errno != errno.ENOTTY:
            raise


def write_all(descriptor, content):
    """Write all of ``content``; the device puts several writes on one descriptor together."""
    while content:
        content = content[os.write(descriptor, content) :]
