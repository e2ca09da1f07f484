# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan: the changes that bring an observed node to the wanted state, stage by stage.

Pure: observed and wanted in, changes (see change.py) out.
"""

import hashlib
import os
import re

from ..errors import MsrSafeError
from ..hardware.devices import DEVICES
from ..hardware.kernel_module import describe_holders, holder_remedy
from ..hardware.module_file import has_vermagic
from ..layout import POLICY, built_module, installed_module
from ..policy.policy_file import describe_policy, policy_text
from ..words import join_some
from . import actions
from .change import build_change, defer, defer_for_jobs, describe_jobs, disturbs, due, is_deferred, unloads
from .dkms import BUILT, DIFFERENT, INSTALLED
from .dkms_plan import build_with_dkms, install_with_dkms, is_given_to_dkms, plan_dkms_source, plan_no_dkms
from .files import (
    APPROVED_LIST,
    APPROVED_LISTS,
    HOOKS,
    MODPROBE,
    SYSCTL,
    UDEV,
    UNIT,
    VENDOR_UDEV,
    VENDOR_UNIT,
    WATCHDOG_WAS_ON,
    hook_text,
    modprobe_text,
    sysctl_text,
    udev_text,
    unit_text,
    without_comments,
)
from .others import PACKAGED
from .own_packages import SOURCE, fits, require_packages
from .packages_plan import plan_tools
from .supply import DKMS, MAKE, PACKAGE

# The kernel hands out character device majors below CHRDEV_MAJOR_MAX (include/linux/fs.h).
MAX_MAJOR = 511

# The oldest kernel that the module is built and tested for (docs/kernel-module.md)
OLDEST_KERNEL = (5, 10)

# When a module in the kernel is replaced: in this run or not at all; when nobody uses it; at the next boot
RELOADS = NOW, WHEN_IDLE, AT_BOOT = 'now', 'idle', 'boot'


def plan_present(observed, wanted):
    """Return the changes that make a node have msr-safe as wanted; some may be deferred (see change.py).

    observed: from observe_node. wanted: ``{'version', 'source_digest',
    'build_directory', 'artifact': {'path' on the controller, 'module': as
    read_module_file} or None, 'commands_digest', 'group', 'modes': {device: '0660'}, 'majors': {device:
    int}, 'kernels': [release, or words of select_kernels], 'artifacts': {release of another kernel: as artifact},
    'supply': one of SUPPLIES, 'dkms': {'digest', 'content': of dkms.conf} of the source for DKMS,
    'sign': as in sign.py, or None, 'reload': one of RELOADS, 'take_over': bool, 'install_packages': bool,
    'approved_list': {'file_text', 'sha256', 'source', 'registers'}, or for an image 'approved_lists': {name of a CPU's
    list: the same}, 'nmi_watchdog': 'keep' or 'off',
    'policy': as observe_policy takes it, or None, and where it is so 'busy': why the node is not idle}``.
    Raises MsrSafeError where the wanted state cannot be had; nothing has been changed then.
    """
    check_root(observed)
    check_age(observed['kernel_release'])
    check_majors(wanted['majors'], observed['majors_taken'])
    check_modes(wanted['modes'])
    check_links(observed)
    if wanted['supply'] == PACKAGE:
        require_packages(observed['packages'], wanted['version'])
    changes = plan_others(observed, wanted)
    loads = plan_load(observed, wanted)
    changes += plan_dkms_source(observed, wanted) if wanted['supply'] == DKMS else []
    changes += plan_supply(observed, wanted, plan_former_supply(observed, wanted))
    changes += plan_file(observed, 'install', MODPROBE, modprobe_text(wanted['majors']))
    changes += plan_permissions(observed, wanted)
    changes += loads
    changes += plan_commands(observed, wanted)
    changes += plan_watchdog(observed, wanted['nmi_watchdog'])
    changes += plan_approve(observed, wanted, loads=bool(due(loads))) if observed['running'] else []
    changes += plan_lists(observed, wanted['approved_lists']) if not observed['running'] else []
    changes += [dict(change, disturbs=True) for change in plan_policy(observed, wanted['policy'], changes)]
    changes += plan_boot(observed, wanted)
    changes += plan_modes(observed, changes)
    changes += plan_former_groups(observed, wanted)
    changes += plan_other_kernels(observed, wanted)
    check_modules_disabled(observed, loads)
    check_signature_policy(observed, wanted, loads)
    check_holders(observed, due(changes))
    return [defer_if_busy(change, observed['jobs'], wanted.get('busy')) for change in changes]


def plan_other_kernels(observed, wanted):
    """Plan to have the module for the node's other kernels, last: what cannot be built does not hold back the rest.

    One that is too old is passed over, unless it was named.
    """
    changes = []
    for kernel in observed['kernels']:
        release = kernel['kernel_release']
        if is_too_old(release) and release not in wanted['kernels']:
            continue
        check_age(release)
        seen = dict(observed, **kernel)
        of_kernel = dict(wanted, artifact=wanted['artifacts'][release])
        changes += plan_supply(seen, of_kernel)
    return changes


def needing_idle(observed, changes):
    """Return those changes that a job on the node would feel, and are not for the next boot anyway.

    On a node without the module, no job uses registers: what sets them by itself is felt all the same.
    """
    felt = [change for change in changes if disturbs(change) and is_running(observed)]
    return felt if observed['module']['loaded'] else [change for change in felt if change['stage'] == 'policy']


def defer_if_busy(change, jobs, busy):
    """Return a change, deferred where a job on the node would feel it.

    busy: why the node is not idle, beside the records of its jobs; or ''.
    """
    if not disturbs(change) or not (jobs or busy):
        return change
    return defer(change, busy) if busy else defer_for_jobs(change, jobs)


def check_root(observed):
    """Raise MsrSafeError where Ansible is not root: a plan would promise what nobody carries out."""
    if not observed.get('as_root', True):
        raise MsrSafeError(
            'Ansible is not root on this node, and cannot change it.',
            'Set become: true for the play, or run ansible-playbook with --become (--ask-become-pass).',
        )


def check_links(observed):
    """Raise MsrSafeError where a symbolic link is in the place of a file of ours."""
    for path, target in sorted(observed['links'].items()):
        raise MsrSafeError(
            '%s is a symbolic link to %s, and is to be a file of this node.' % (path, target),
            'Remove the link (rm %s) and apply the role again; it is not followed, and not replaced.' % path,
        )


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


def check_modules_disabled(observed, loads):
    """Raise MsrSafeError where the running kernel is to load the module and loads none any more."""
    if observed['modules_disabled'] and due(loads):
        raise MsrSafeError(
            'This kernel takes no modules any more: /proc/sys/kernel/modules_disabled is 1.',
            'It stays so until the next boot: set it later than msr-safe.service runs, and reboot; or have the module '
            'replaced at the next boot only (msr_safe_reload: boot).',
        )


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


def is_of_ours(module):
    """Return whether a module file is one that this collection built."""
    return bool(module) and 'source_digest' in module


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


def module_in_use(observed, wanted):
    """Return the module file that modprobe is to load: in the role's place, or wherever DKMS or a package put it."""
    return observed['module']['installed' if wanted['supply'] == MAKE else 'supplied']


def is_supplied(observed, wanted):
    """Return whether the module for a kernel is where it belongs, as wanted."""
    if not is_wanted_module(module_in_use(observed, wanted), observed, wanted):
        return False
    if wanted['supply'] != DKMS:
        return True
    builds = observed['dkms']['builds'].get(wanted['version'], {})
    return is_given_to_dkms(observed, wanted) and builds.get(observed['kernel_release']) == INSTALLED


def is_of_wanted_source(module, wanted):
    """Return whether a module was built from the wanted source; from a package, another patch release fits, too."""
    if wanted['supply'] == PACKAGE:
        return fits(module.get('version'), wanted['version'])
    return module.get('source_digest') == wanted['source_digest']


def is_wanted_module(module, observed, wanted):
    """Return whether a module file was built from the wanted source, for the kernel as it is, and signed if wanted.

    wanted: of it, supply, source_digest, version and sign.
    """
    return (
        module is not None
        and is_of_wanted_source(module, wanted)
        and has_vermagic(module, observed['kernel_release'], observed['vermagic'])
        and (module['signed'] or not wanted['sign'])
    )


def describe_module(module):
    return 'msr-safe %s\n' % module.get('version', 'damaged') if module else None


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


def plan_file(observed, stage, path, text):
    """Return the change that makes a configuration file have a text; none where it has it."""
    before = observed['files'][path]
    if before == text.strip():
        return []
    before = None if before is None else before + '\n'
    return [build_change(stage, actions.write_file, 'write ' + path, before, text, path=path, content=text)]


def plan_no_file(observed, stage, path):
    """Return the change that takes away a configuration file of the role's; none where there is none."""
    before = observed['files'][path]
    return [] if before is None else [dict(remove_path(stage, path), before=before + '\n')]


def remove_path(stage, path):
    return build_change(stage, actions.remove_path, 'remove ' + path, path + '\n', None, path=path)


def uninstall(stage, release):
    """Return the change that takes away the module that the role installed for a kernel."""
    path = installed_module(release)
    return build_change(
        stage, actions.uninstall_module, 'remove ' + path, path + '\n', None, path=path, kernel_release=release
    )


def plan_permissions(observed, wanted):
    changes = []
    if not observed['group_exists']:
        changes.append(
            build_change(
                'permissions',
                actions.add_group,
                'add the group ' + wanted['group'],
                None,
                wanted['group'] + '\n',
                group=wanted['group'],
            )
        )
    rules = plan_rules(observed, wanted)
    before, after = describe_access(observed['devices'], None), describe_access(observed['devices'], wanted)
    changes.extend(rules)
    if observed['running'] and (rules or before != after):
        changes.append(
            build_change(
                'permissions',
                actions.apply_udev_rules,
                'set owners and modes of the devices',
                before,
                after,
            )
        )
    is_open = is_open_to_all(observed['devices'])
    return [dict(change, disturbs=not is_open) for change in changes]


def plan_rules(observed, wanted):
    """Plan the udev rules. Where a package's say the same, none of the role's are needed: they go before those."""
    text = udev_text(wanted['group'], wanted['modes'])
    of_package = observed['files'][VENDOR_UDEV] if wanted['supply'] == PACKAGE else None
    if without_comments(of_package) != without_comments(text):
        return plan_file(observed, 'permissions', UDEV, text)
    return plan_no_file(observed, 'permissions', UDEV)


def is_open_to_all(devices):
    """Return whether every user may use a device, which waits for no job to end."""
    return any(access[3] != '0' for device in DEVICES for access in devices[device]['access'])


def plan_modes(observed, changes):
    """Plan to give back their modes and owners to files that stay as they are."""
    written = {change.get('path') for change in changes}
    return [
        build_change(
            'permissions',
            actions.set_mode,
            'make %s %s root:root again' % (path, one['mode']),
            one['is'] + '\n',
            '%s root:root\n' % one['mode'],
            path=path,
            mode=one['mode'],
        )
        for path, one in sorted(observed['permissions'].items())
        if path not in written
    ]


def plan_former_groups(observed, wanted):
    """Plan to remove the groups that the role made before msr_safe_group was changed."""
    return [
        build_change(
            'permissions',
            actions.remove_group,
            'remove the former group ' + name,
            name + '\n',
            None,
            group=name,
            disturbs=True,
        )
        for name in observed['traces']['groups']
        if name != wanted['group']
    ]


def describe_access(devices, wanted):
    """Return a line for each device that exists: its mode and owners, as they are or as wanted."""
    lines = []
    for device in DEVICES:
        for access, cpus in sorted(devices[device]['access'].items()):
            if wanted:
                access = '%s root:%s' % (wanted['modes'][device], wanted['group'])
            lines.append('%s %s%s\n' % (access, device, ' on CPU ' + cpus if cpus else ''))
    return ''.join(sorted(set(lines)))


def plan_load(observed, wanted):
    if not is_running(observed):
        return []
    loaded = observed['module']['loaded']
    if loaded is not None and loaded['majors'] == wanted['majors'] and is_of_a_wanted_file(loaded, observed, wanted):
        return []
    title = (
        'load msr_safe' if loaded is None else 'unload msr_safe %s, load %s' % (loaded['version'], wanted['version'])
    )
    change = build_change(
        'load',
        actions.load_module,
        title,
        describe_loaded(loaded['version'], loaded['majors']) if loaded else None,
        describe_loaded(wanted['version'], wanted['majors']),
        disturbs=True,
        kernel_release=observed['kernel_release'],
        ours=brought_by_a_builder(observed, wanted),
    )
    reason = why_not_now(observed['module'], wanted['reload']) if loaded else None
    if not reason:
        return [change]
    return [dict(defer(change, reason), disturbs=wanted['reload'] != AT_BOOT)]


def brought_by_a_builder(observed, wanted):
    """Return the paths of the files of the running kernel's module that a builder can bring again."""
    release = observed['kernel_release']
    return [installed_module(release), built_here(release, wanted)] if wanted['artifact'] else []


def is_of_a_wanted_file(loaded, observed, wanted):
    """Return whether the module in the kernel is that of a wanted file. Who builds the same source does not matter."""
    places = ('supplied',) if wanted['supply'] == PACKAGE else ('installed', 'supplied')
    files = [observed['module'][place] for place in places]
    return any(
        is_wanted_module(file, observed, wanted) and file.get('srcversion') == loaded['srcversion'] for file in files
    )


def why_not_now(module, reload):
    """Return why the module in the kernel is not to be replaced in this run, in words, or None where it is."""
    if reload == AT_BOOT:
        return 'that is for the next boot (msr_safe_reload: boot)'
    if reload == WHEN_IDLE and module['loaded']['users']:
        return 'the module is in use: %s; end that and run the role again, or set msr_safe_reload: boot' % (
            describe_holders(module['holders'])
        )
    return None


def describe_loaded(version, majors):
    numbers = [
        '%s: %s\n' % (device, 'major %d' % majors[device] if majors[device] else 'any major') for device in DEVICES
    ]
    return 'msr_safe %s loaded\n%s' % (version, ''.join(numbers))


def plan_commands(observed, wanted):
    if wanted['supply'] == PACKAGE or observed['commands_digest'] == wanted['commands_digest']:
        return []
    return [
        build_change(
            'commands',
            actions.install_commands,
            'install msrsave and msr-safe %s' % wanted['version'],
            None,
            'msrsave and msr-safe %s\n' % wanted['version'],
        )
    ]


def plan_watchdog(observed, wanted):
    """Plan to keep the NMI watchdog off the counters before users may program them; or to undo that."""
    text = observed['files'][SYSCTL]
    if wanted == 'keep':
        return undo_watchdog(observed, 'approve') if text else []
    is_on = bool(observed['nmi_watchdog'] and observed['nmi_watchdog']['enabled'])
    was_on = is_on if text is None else WATCHDOG_WAS_ON in text
    changes = plan_file(observed, 'approve', SYSCTL, sysctl_text(was_on))
    return changes + ([turn_watchdog('approve', enabled=False)] if is_on and is_running(observed) else [])


def undo_watchdog(observed, stage):
    """Return the changes that take away what turned the NMI watchdog off, and turn it on if it was on before."""
    text = observed['files'][SYSCTL]
    changes = [build_change(stage, actions.remove_path, 'remove ' + SYSCTL, text + '\n', None, path=SYSCTL)]
    is_due = WATCHDOG_WAS_ON in text and observed['nmi_watchdog'] and not observed['nmi_watchdog']['enabled']
    return changes + ([turn_watchdog(stage, enabled=True)] if is_due and is_running(observed) else [])


def turn_watchdog(stage, enabled):
    words = ['kernel.nmi_watchdog = 1\n', 'kernel.nmi_watchdog = 0\n']
    before, after = reversed(words) if enabled else words
    return build_change(
        stage,
        actions.set_nmi_watchdog,
        "turn the kernel's NMI watchdog " + ('on' if enabled else 'off'),
        before,
        after,
        enabled=enabled,
    )


def is_running(observed):
    return observed['kernel_release'] == observed['running_kernel']


def plan_approve(observed, wanted, loads):
    changes = []
    wanted_list, active, installed = wanted['approved_list'], observed['approved_list'], observed['installed_list']
    if not is_in(installed, wanted_list['file_text']):
        changes.append(
            build_change(
                'approve',
                actions.write_file,
                'write %s from %s' % (APPROVED_LIST, wanted_list['source']),
                list_text(installed),
                wanted_list['file_text'],
                path=APPROVED_LIST,
                content=wanted_list['file_text'],
                disturbs=True,
            )
        )
    # A module that is loaded anew has the empty list.
    is_active = active is not None and active['sha256'] == wanted_list['sha256'] and not loads
    if not is_active and is_running(observed):
        changes.append(
            build_change(
                'approve',
                actions.activate_list,
                'activate %s' % wanted_list['source'],
                describe_list(active),
                describe_list(wanted_list),
                path=APPROVED_LIST,
                disturbs=True,
            )
        )
    return changes


def plan_lists(observed, lists):
    """Plan to have in an image the lists of all CPUs that may boot it, and none that would be taken on any CPU."""
    seen = observed['lists']
    files = {name: one['file_text'] for name, one in lists.items() if not is_in(seen.get(name), one['file_text'])}
    others = sorted(name for name in seen if name not in lists)
    changes = []
    if files or others:
        names = sorted([*files, *others])
        changes.append(
            build_change(
                'approve',
                actions.write_lists,
                describe_lists(files, others),
                ''.join('%s: %s' % (name, list_text(seen[name])) for name in names if name in seen),
                ''.join('%s: %s' % (name, files[name]) for name in names if name in files),
                path=APPROVED_LISTS,
                files=files,
                others=others,
            )
        )
    if observed['installed_list'] is not None:
        title = 'remove %s, which is for one CPU' % APPROVED_LIST
        text = list_text(observed['installed_list'])
        changes.append(build_change('approve', actions.remove_path, title, text, None, path=APPROVED_LIST))
    return changes


def is_in(file, text):
    """Return whether a file, as from observe_list, holds a text."""
    return file is not None and file['sha256'] == hashlib.sha256(text.encode('utf-8')).hexdigest()


def describe_lists(files, others):
    """Return in words which lists are written to an image, and which taken away."""
    parts = []
    if files:
        parts.append(
            'write %s to %s, of which a node activates that of its CPU' % (join_some(sorted(files)), APPROVED_LISTS)
        )
    if others:
        parts.append('remove %s from %s' % (join_some(others), APPROVED_LISTS))
    return '; '.join(parts)


def list_text(installed):
    """Return the text of the installed list; where it was not asked for, its checksum stands for it."""
    if installed is None:
        return None
    return installed['text'] or 'sha256 %s\n' % installed['sha256']


def describe_list(approved_list):
    if approved_list is None:
        return None
    return '%(registers)d registers approved (sha256 %(sha256).16s)\n' % approved_list


def plan_policy(observed, policy, before):
    """Plan to make registers hold a policy, and the boot keep it. before: the changes that go before."""
    if policy is None:
        if observed['files'][POLICY] is None:
            return []
        text = observed['files'][POLICY] + '\n'
        return [build_change('policy', actions.remove_path, 'remove ' + POLICY, text, None, path=POLICY)]
    changes = plan_file(observed, 'policy', POLICY, policy_text(policy['statements']))
    if not is_running(observed):
        return changes
    # What registers hold cannot be read before the module is there; another one reads only what is on a list
    is_seen = not {'load', 'approve'} & {change['stage'] for change in before}
    held = observed['policy']
    if held['problem'] and is_seen:
        raise MsrSafeError(held['problem'], 'Correct msr_safe_policy, or what the node is.')
    if held['before'] == held['after'] and not held['problem']:
        return changes
    what = (held['before'], held['after'])
    change = build_change(
        'policy',
        actions.apply_policy,
        'make registers hold the policy',
        *(what if not held['problem'] else (None, describe_policy(policy['statements']))),
        policy=policy,
    )
    waits = [each['deferred'] for each in before if each['stage'] == 'load' and is_deferred(each)]
    return [*changes, defer(change, waits[0]) if waits and held['problem'] else change]


def plan_boot(observed, wanted):
    if wanted['supply'] == PACKAGE:
        changes = plan_no_file(observed, 'boot', UNIT)
    else:
        changes = plan_file(observed, 'boot', UNIT, unit_text())
    if changes or not observed['service_enabled']:
        changes.append(
            build_change(
                'boot',
                actions.enable_service,
                'enable msr-safe.service' if observed['running'] else LEFT_TO_BOOT,
                'enabled\n' if observed['service_enabled'] else None,
                'enabled\n',
                start=is_running(observed),
                unit=VENDOR_UNIT if wanted['supply'] == PACKAGE else UNIT,
            )
        )
    return [dict(change, disturbs=True) for change in changes] + plan_hook(observed)


# What the role does on a node and not to an image
LEFT_TO_BOOT = (
    'enable msr-safe.service by a link: on a node that boots the image it loads the module, activates the list of the '
    "node's CPU, and has registers hold the policy"
)


def plan_hook(observed):
    """Plan to have the package manager say when it installs a kernel for which there is no module."""
    path = HOOKS.get(observed['build']['package_manager'])
    return [dict(change, mode='0755') for change in plan_file(observed, 'boot', path, hook_text())] if path else []


def plan_absent(observed):
    """Return the changes that take every trace of msr-safe off a node.

    A kernel module that another msr-safe loaded is left alone. Raises
    MsrSafeError, with the holders, where the module is in use, and where
    Slurm's prologs need it: they would fail, and drain the node.
    """
    traces, changes = observed['traces'], []
    if traces['slurm']:
        raise MsrSafeError(
            "Slurm's prologs and epilogs on this node need msr-safe.",
            'Take those off first: ansible-playbook hpc.msr_safe.slurm -e slurm_msr_state=absent',
        )
    if traces['service']:
        changes.append(build_change('remove', actions.disable_service, 'disable msr-safe.service', 'enabled\n', None))
    if is_ours(observed['module']):
        loaded = observed['module']['loaded']
        changes.append(
            build_change(
                'remove',
                actions.unload_module,
                'unload msr_safe %s' % loaded['version'],
                describe_loaded(loaded['version'], loaded['majors']),
                None,
            )
        )
    changes += plan_no_dkms(observed, 'remove')
    changes += [uninstall('remove', release) for release in traces['kernel_releases']]
    for name in traces['groups']:
        changes.append(
            build_change('remove', actions.remove_group, 'remove the group ' + name, name + '\n', None, group=name)
        )
    if SYSCTL in traces['paths']:
        changes += undo_watchdog(observed, 'remove')
    for path in traces['paths']:
        if path == SYSCTL:
            continue
        changes.append(remove_path('remove', path))
    if changes:
        check_root(observed)
    if changes and observed['jobs']:
        raise MsrSafeError(
            'msr-safe is not taken off now: %s.' % describe_jobs(observed['jobs']),
            'Drain the node and run this again when its jobs have ended (msr-job status).',
        )
    check_holders(observed, changes)
    return changes


def is_ours(module):
    """Return whether the module in the kernel is one that this collection built."""
    files = [module[place] for place in ('installed', 'built', 'supplied')]
    ours = [file.get('srcversion') for file in files if is_of_ours(file)]
    return bool(module['loaded']) and module['loaded']['srcversion'] in ours


def check_majors(majors, taken):
    """Raise MsrSafeError where a wanted major number cannot be had."""
    chosen = {device: major for device, major in majors.items() if major}
    for device, major in sorted(chosen.items()):
        where = 'Major number %d for %s ' % (major, device)
        remedy = 'Choose another one in msr_safe_majors (free: %s), or 0 to let the kernel choose.' % free_majors(taken)
        if not 1 <= major <= MAX_MAJOR:
            raise MsrSafeError('%sis not between 1 and %d.' % (where, MAX_MAJOR), remedy)
        if list(chosen.values()).count(major) > 1:
            raise MsrSafeError(where + 'is given to two devices.', remedy)
        # /proc/devices comes through JSON, so its keys may be text.
        driver = taken.get(major, taken.get(str(major)))
        if driver is not None and driver not in DEVICES:
            raise MsrSafeError('%sis in use by the driver %s.' % (where, driver), remedy)


def check_modes(modes):
    """Raise MsrSafeError for a mode that is none, or that lets everyone in."""
    for device, mode in sorted(modes.items()):
        if not re.match('0[0-7]{3}\\Z', mode):
            raise MsrSafeError(
                'Mode %s for %s is not an octal number of four digits.' % (mode, device),
                "Write it in quotes: '0660'.",
            )
        if mode[-1] != '0':
            raise MsrSafeError(
                'Mode %s for %s would let every user in.' % (mode, device),
                'End it in 0, and add those who may to the group.',
            )


def free_majors(taken):
    """Return four major numbers of the range for local use (Documentation/admin-guide/devices.txt) in words."""
    in_use = {int(major) for major in taken}
    return ', '.join(str(major) for major in range(240, 255) if major not in in_use)[:18]


def check_signature_policy(observed, wanted, loads):
    """Raise MsrSafeError where the running kernel would not load the module that the changes load."""
    reason = observed['signed_modules_only']
    if not (reason and loads):
        return
    if wanted['supply'] != MAKE:
        return require_signature(observed, wanted, reason)
    module = module_to_load(observed, wanted)
    if not (module['signed'] if module else wanted['sign']):
        raise MsrSafeError(
            'This kernel loads signed modules only: %s. The module that is built here is not signed.' % reason,
            'Have a builder sign it, with a key the kernel trusts (msr_safe_sign_key, msr_safe_sign_certificate, or '
            'msr_safe_sign_command), install a signed one as %s, or boot with module.sig_enforce=0 and Secure Boot off.'
            % installed_module(observed['kernel_release']),
        )


def require_signature(observed, wanted, reason):
    """Raise MsrSafeError where the module that DKMS or a package installed is not signed.

    One that is yet to be built DKMS signs, if it is set up to; whether the kernel trusts its key, the kernel says.
    """
    if is_supplied(observed, wanted) and not module_in_use(observed, wanted)['signed']:
        raise MsrSafeError(
            'This kernel loads signed modules only: %s. %s is not signed.' % (reason, observed['module']['resolved']),
            'DKMS signs with the key that /etc/dkms/framework.conf names (mok_signing_key, mok_certificate; otherwise '
            'one that it makes in /var/lib/dkms), which the kernel has to trust: mokutil --import. Then build anew: '
            'dkms install --force.',
        )


def module_to_load(observed, wanted):
    """Return the module file of the wanted source that is nearest at hand, or None where it is yet to be built."""
    files = [observed['module']['installed'], observed['module']['built']]
    if wanted['artifact']:
        files.append(wanted['artifact']['module'])
    return next((module for module in files if is_wanted_module(module, observed, wanted)), None)


def check_holders(observed, changes):
    """Raise MsrSafeError where the module is to be unloaded and a program uses it."""
    loaded = observed['module']['loaded']
    if loaded and loaded['users'] and any(map(unloads, changes)):
        raise MsrSafeError(
            'The module msr_safe is in use: %s.' % describe_holders(observed['module']['holders']),
            holder_remedy(),
        )
