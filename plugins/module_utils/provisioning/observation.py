# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A node as the role sees it: everything that is planned from, observed at once."""

import grp
import hashlib
import os

from ..access.registers import observe_access
from ..approved_lists.active import read_active_list, read_installed_list, with_names
from ..approved_lists.approved_list import digest_list, render_list
from ..errors import MsrSafeError
from ..hardware.cpu import read_cpu
from ..hardware.devices import approved_list_device, device_holders, observe_devices, taken_majors
from ..hardware.kernel_module import observe_loaded_module, observe_signature_policy
from ..hardware.module_file import read_module_file
from ..hardware.watchdog import observe_watchdog
from ..layout import (
    COMMANDS,
    CREATED_GROUP,
    HELP,
    JOB_COMMAND,
    LIBRARY,
    PACKAGE,
    POLICY,
    SETTINGS,
    STATE,
    built_module,
    command_text,
    installed_module,
)
from ..policy.application import observe_policy
from .files import APPROVED_LIST, MODPROBE, SYSCTL, UDEV, UNIT, UNIT_ENABLED
from .tree import digest_tree, read_tree

PACKAGE_FAMILIES = (('debian', '/usr/bin/apt-get'), ('redhat', '/usr/bin/dnf'), ('suse', '/usr/bin/zypper'))


def observe_node(machine, kernel_release=None, group=None, with_lists=False, policy=None):
    """Return what there is of hpc.msr_safe on a node, as plain data.

    kernel_release: of the kernel that the module is for; None is the running
    one. group: the Unix group whose existence is asked for. with_lists: also
    the texts of the lists, which are long. policy: what registers are to hold, as
    observe_policy takes it, or None. Never changes anything. The shape is the RETURN of msr_safe_info.
    """
    running = machine.read_text('/proc/sys/kernel/osrelease')
    release = kernel_release or running
    if not release:
        raise MsrSafeError('This node does not say which kernel it runs.', 'Set msr_safe_kernel_release.')
    loaded = observe_loaded_module(machine)
    return {
        'kernel_release': release,
        'running_kernel': running,
        'cpu': read_cpu(machine),
        'build': observe_build(machine, release),
        'signed_modules_only': observe_signature_policy(machine),
        'module': {
            'loaded': loaded,
            'installed': read_module_file(machine, installed_module(release)),
            'built': read_module_file(machine, built_module(release)),
            'holders': device_holders(machine) if loaded and loaded['users'] else [],
        },
        'access': observe_access(machine),
        'devices': observe_devices(machine),
        'majors_taken': taken_majors(machine),
        'approved_list': observe_active_list(machine, with_lists),
        'installed_list': observe_installed_list(machine, with_lists),
        'files': {path: machine.read_text(path) for path in (MODPROBE, UDEV, SYSCTL, UNIT, POLICY)},
        'nmi_watchdog': observe_watchdog(machine),
        'group_exists': group_exists(group) if group else None,
        'commands_digest': observe_commands(machine),
        'policy': observe_policy(machine, policy) if policy else None,
        'service_enabled': os.path.islink(machine.path(UNIT_ENABLED)),
        'traces': observe_traces(machine),
    }


def observe_build(machine, release):
    """Return what building needs and the node has.

    Shape: ``{'headers': path or None, 'package_family': one of
    PACKAGE_FAMILIES or None, 'missing_packages': [str]}``.
    """
    headers = '/lib/modules/%s/build' % release
    families = [family for family, program in PACKAGE_FAMILIES if machine.exists(program)]
    return {
        'headers': headers if machine.exists(headers + '/Makefile') else None,
        'package_family': families[0] if families else None,
        'missing_packages': missing_packages(machine, release, families[0] if families else None),
    }


def missing_packages(machine, release, family):
    """Return the distribution's packages that building needs and the machine does not have."""
    headers = {
        'debian': ['linux-headers-' + release],
        'redhat': ['kernel-devel-' + release, 'elfutils-libelf-devel'],
        'suse': ['kernel-default-devel'],
    }.get(family, [])
    missing = [] if machine.exists('/lib/modules/%s/build/Makefile' % release) else headers
    return missing + [program for program in ('gcc', 'make') if not machine.exists('/usr/bin/' + program)]


def observe_active_list(machine, with_text):
    """Return the list in force, or None where no module is loaded.

    Shape: ``{'device': path, 'sha256': hex, 'registers': int, 'writable': int,
    'text': text or None}``.
    """
    try:
        device = approved_list_device(machine)
    except MsrSafeError:
        return None
    entries = read_active_list(machine)
    return {
        'device': device,
        'sha256': digest_list(entries),
        'registers': len(entries),
        'writable': len([entry for entry in entries if entry.mask]),
        'text': render_list(with_names(entries, read_installed_list(machine))) if with_text else None,
    }


def observe_installed_list(machine, with_text):
    """Return the node's own list file: ``{'sha256': hex of the file, 'text': text or None}``, or None."""
    content = machine.read(APPROVED_LIST)
    if content is None:
        return None
    return {
        'sha256': hashlib.sha256(content).hexdigest(),
        'text': content.decode('utf-8', 'replace') if with_text else None,
    }


def group_exists(name):
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def observe_commands(machine):
    """Return the digest of the installed library and commands, as digest_commands gives it."""
    files = {path: machine.read(path) or b'' for path in [*COMMANDS, *HELP]}
    return digest_commands(read_tree(machine.path(PACKAGE)), files)


def digest_commands(package, files):
    """Return one digest of a library tree and of the files outside of it ``{path: bytes}``."""
    everything = dict(package)
    everything.update(files)
    return digest_tree(everything)


def commands_files(package):
    """Return what the commands need outside of their library tree: ``{path: bytes}`` of scripts and help."""
    files = {path: command_text(command).encode('ascii') for path, command in COMMANDS.items()}
    files.update((path, package.get(name, b'')) for path, name in HELP.items())
    return files


def releases_with_module(machine):
    """Return the kernel releases for which a module file that this collection built is installed."""
    files = [
        (release, read_module_file(machine, installed_module(release))) for release in machine.list('/lib/modules')
    ]
    return [release for release, module in files if module and 'source_digest' in module]


def is_ours(machine, path):
    """Return whether a file was written by this collection, not by another msr-safe."""
    return b'hpc.msr_safe' in (machine.read(path) or b'')


def observe_traces(machine):
    """Return what ``state: absent`` would take away, in the order in which it does.

    Shape: ``{'service': bool, 'kernel_releases': [str],
    'paths': [str], 'group': the group that the role made, or None,
    'slurm': do Slurm's jobs need it?}``.
    """
    files = [path for path in [MODPROBE, UDEV, SYSCTL, UNIT, *sorted([*COMMANDS, *HELP])] if is_ours(machine, path)]
    directories = [SETTINGS] if is_ours(machine, APPROVED_LIST) else []
    directories += [path for path in (LIBRARY, STATE) if machine.exists(path)]
    created_group = machine.read_text(CREATED_GROUP)
    return {
        'service': UNIT in files and os.path.lexists(machine.path(UNIT_ENABLED)),
        'kernel_releases': releases_with_module(machine),
        'paths': files + directories,
        'group': created_group if created_group and group_exists(created_group) else None,
        'slurm': machine.exists(JOB_COMMAND),
    }
