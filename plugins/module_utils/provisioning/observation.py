# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A node as the role sees it: everything that is planned from, observed at once."""

import hashlib
import os
import re

from ..access.registers import observe_access
from ..approved_lists.active import LISTS, installed_list_path, read_active_list, read_installed_list, with_names
from ..approved_lists.approved_list import digest_list, render_list
from ..approved_lists.directory import cpu_of_name
from ..errors import MsrSafeError
from ..hardware.cpu import read_cpu
from ..hardware.devices import approved_list_device, device_holders, observe_devices, taken_majors
from ..hardware.kernel_module import observe_loaded_module, observe_signature_policy
from ..hardware.module_file import examine_module_file, read_kernel_vermagic
from ..hardware.watchdog import observe_watchdog
from ..jobs.record import read_records
from ..layout import (
    COMMANDS,
    HELP,
    JOB_COMMAND,
    LIBRARY,
    PACKAGE,
    POLICY,
    STATE,
    built_module,
    command_text,
    installed_module,
)
from ..policy.application import observe_policy
from .deferred import read_deferred
from .dkms import built_by_dkms, observe_dkms
from .files import APPROVED_LIST, HOOKS, MODPROBE, SYSCTL, UDEV, UNIT, UNIT_ENABLED, VENDOR_UDEV, VENDOR_UNIT
from .group_at_boot import group_at_boot
from .groups import groups_of_ours, is_made
from .others import is_ours, observe_others, observe_shadows, resolved_module
from .own_packages import TOOLS, observe_own_packages
from .packages import observe_build
from .permissions import observe_permissions
from .read_only import observe_read_only
from .tree import digest_tree, read_tree

# Files whose texts the plan compares
CONFIGURED = (MODPROBE, UDEV, SYSCTL, UNIT, POLICY, *sorted(HOOKS.values()), VENDOR_UDEV, VENDOR_UNIT)

# Which kernels the module is for, where they are not named
RUNNING, INSTALLED = 'running', 'installed'


def observe_node(
    machine,
    kernel_release=None,
    group=None,
    with_lists=False,
    build_directory=STATE,
    kernels=(RUNNING,),
    policy=None,
):
    """Return what there is of hpc.msr_safe on a node, as plain data.

    kernel_release: of the kernel that the module is for; None is the running
    one, of an image, where none runs, the newest of the others. group: the Unix
    group whose existence is asked for. with_lists: also the texts of the lists,
    which are long. build_directory: where this node keeps
    what was built. kernels: which others the module is for, too (see select_kernels).
    policy: what registers are to hold, as observe_policy takes it, or None.
    Never changes anything. The shape is the RETURN of msr_safe_info.
    """
    running = machine.read_text('/proc/sys/kernel/osrelease')
    if not machine.runs:
        kernels = [INSTALLED if kernel == RUNNING else kernel for kernel in kernels]
    release = kernel_release or running or newest(select_kernels(machine, kernels))
    loaded = observe_loaded_module(machine)
    unlike, links = observe_permissions(machine, release)
    packages, dkms = observe_own_packages(machine), observe_dkms(machine)
    kernel = observe_kernel(machine, release, build_directory, dkms)
    others = [other for other in select_kernels(machine, kernels) if other != release]
    return {
        'running': machine.runs,
        'kernel_release': release,
        'running_kernel': running,
        'as_root': machine.root != '/' or os.geteuid() == 0,
        'cpu': read_cpu(machine) if machine.runs else None,
        'build': kernel['build'],
        'vermagic': kernel['vermagic'],
        'kernels': [observe_kernel(machine, other, build_directory, dkms) for other in others],
        'modules_disabled': machine.read_text('/proc/sys/kernel/modules_disabled') == '1',
        'signed_modules_only': observe_signature_policy(machine),
        'jobs': list(read_records(machine)),
        'deferred': read_deferred(machine),
        'module': dict(
            kernel['module'],
            loaded=loaded,
            holders=device_holders(machine) if loaded and loaded['users'] else [],
        ),
        'access': observe_access(machine),
        'devices': observe_devices(machine),
        'majors_taken': taken_majors(machine),
        'approved_list': observe_active_list(machine, with_lists),
        'installed_list': observe_list(machine, installed_list_of(machine), with_lists),
        'lists': {} if machine.runs else observe_lists(machine, with_lists),
        'files': {path: machine.read_text(path) for path in CONFIGURED},
        'nmi_watchdog': observe_watchdog(machine),
        'group_exists': is_made(machine, group) if group else None,
        'group_at_boot': group_at_boot(machine, group) if group else None,
        'commands_digest': observe_commands(machine),
        'policy': observe_policy(machine, policy) if policy and machine.runs else None,
        'service_enabled': os.path.islink(machine.path(UNIT_ENABLED)),
        'permissions': unlike,
        'links': links,
        'read_only': observe_read_only(machine),
        'packages': packages,
        'dkms': dkms,
        'others': observe_others(machine, [release, *others], packages, dkms),
        'shadows': observe_shadows(machine),
        'traces': observe_traces(machine, build_directory, packages, dkms),
    }


def observe_kernel(machine, release, build_directory, dkms):
    """Return what there is of the module for a kernel, and what building it needs. dkms: as from observe_dkms.

    Of the module files, ``installed`` is the role's, ``supplied`` what DKMS or a package put there, and ``resolved``
    the path of the one that modprobe loads.
    """
    own, resolved = installed_module(release), resolved_module(machine, release)
    of_dkms = built_by_dkms(machine, release, dkms)
    supplied = resolved if resolved not in (None, own) else of_dkms
    return {
        'kernel_release': release,
        'build': observe_build(machine, release),
        'vermagic': read_kernel_vermagic(machine, release),
        'module': {
            'installed': examine_module_file(machine, own) if of_dkms != own else None,
            'resolved': resolved,
            'supplied': examine_module_file(machine, supplied) if supplied else None,
            'built': examine_module_file(machine, built_module(release, build_directory)),
        },
    }


def newest(releases):
    """Return the newest of kernels. Raises MsrSafeError where there is none."""
    if not releases:
        raise MsrSafeError(
            'Which kernel the module is for is not known: none runs here, and /lib/modules has none.',
            'Install a kernel in the image, or name the one that its nodes boot: msr_safe_kernel_release.',
        )
    return max(releases, key=lambda release: [int(number) for number in re.findall('[0-9]+', release)])


def select_kernels(machine, kernels):
    """Return the releases of the kernels that the module is for beside the running one, in order.

    kernels: releases, RUNNING (which adds none), or INSTALLED: those that have modules of their own.
    """
    selected = []
    for kernel in kernels:
        if kernel == INSTALLED:
            releases = machine.list('/lib/modules')
            selected += [release for release in releases if machine.exists('/lib/modules/%s/kernel' % release)]
        elif kernel != RUNNING:
            selected.append(kernel)
    return sorted(set(selected))


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
        'text': render_list(with_names(entries, read_names(machine))) if with_text else None,
    }


def read_names(machine):
    """Return the node's own list, for its names; [] where it is damaged, and so to be replaced."""
    try:
        return read_installed_list(machine)
    except MsrSafeError:
        return []


def installed_list_of(machine):
    """Return the path of the list that a node activates at boot; of an image, that of the file for one CPU only."""
    return installed_list_path(machine) if machine.runs else APPROVED_LIST


def observe_lists(machine, with_text):
    """Return the lists of CPUs that an image has from us: {name: as observe_list}."""
    paths = {name: '%s/%s' % (LISTS, name) for name in machine.list(LISTS) if cpu_of_name(name)}
    return {name: observe_list(machine, path, with_text) for name, path in paths.items() if is_ours(machine, path)}


def observe_list(machine, path, with_text):
    """Return the file of a list: ``{'sha256': hex of the file, 'text': text or None}``, or None."""
    content = machine.read(path)
    if content is None:
        return None
    return {
        'sha256': hashlib.sha256(content).hexdigest(),
        'text': content.decode('utf-8', 'replace') if with_text else None,
    }


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


def releases_with_module(machine, dkms):
    """Return the kernel releases for which a module file that the role built, not DKMS, is installed."""
    files = [
        (release, examine_module_file(machine, installed_module(release))) for release in machine.list('/lib/modules')
    ]
    return [
        release
        for release, module in files
        if module and 'source_digest' in module and built_by_dkms(machine, release, dkms) != module['path']
    ]


def built_directories(machine, build_directory):
    """Return the directories of what this node built, in a directory that is not only ours."""
    modules = [
        examine_module_file(machine, built_module(release, build_directory))
        for release in machine.list(build_directory)
    ]
    return [os.path.dirname(module['path']) for module in modules if module and 'source_digest' in module]


def lists_of_ours(machine):
    """Return the paths of the lists for all CPUs: that of their directory, unless a site has files of its own there."""
    paths = ['%s/%s' % (LISTS, name) for name in machine.list(LISTS)]
    ours = [path for path in paths if is_ours(machine, path)]
    return [LISTS] if ours and ours == paths else ours


def observe_traces(machine, build_directory, packages, dkms):
    """Return what ``state: absent`` would take away, in the order in which it does. What packages brought stays.

    Shape: ``{'service': bool, 'kernel_releases': [str],
    'paths': [str], 'groups': those that the role made,
    'slurm': do Slurm's jobs need it?}``.
    """
    has_package = TOOLS in packages
    paths = [MODPROBE, UDEV, SYSCTL, UNIT, *sorted(HOOKS.values())]
    paths += [] if has_package else sorted([*COMMANDS, *HELP])
    files = [path for path in paths if is_ours(machine, path)]
    files += [path for path in (POLICY, APPROVED_LIST) if is_ours(machine, path)]
    files += lists_of_ours(machine)
    directories = [path for path in ([] if has_package else [LIBRARY]) + [STATE] if machine.exists(path)]
    directories += built_directories(machine, build_directory) if build_directory != STATE else []
    return {
        'service': (UNIT in files or has_package) and os.path.lexists(machine.path(UNIT_ENABLED)),
        'kernel_releases': releases_with_module(machine, dkms),
        'paths': files + directories,
        'groups': groups_of_ours(machine),
        'slurm': machine.exists(JOB_COMMAND),
    }
