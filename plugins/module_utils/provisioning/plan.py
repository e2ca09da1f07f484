# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan: the changes that bring an observed node to the wanted state, stage by stage.

Pure: observed and wanted in, changes (see change.py) out.
"""

from ..errors import MsrSafeError
from . import actions
from .access_plan import plan_former_groups, plan_modes, plan_permissions
from .boot_plan import plan_boot
from .change import build_change, defer, defer_for_jobs, describe_jobs, disturbs, due
from .dkms_plan import plan_dkms_source, plan_no_dkms
from .file_plan import plan_file, remove_path
from .files import MODPROBE, SYSCTL, modprobe_text
from .kernel import check_age, is_running, is_too_old
from .list_plan import plan_approve, plan_lists
from .load_plan import check_signature_policy, describe_loaded, plan_load
from .others_plan import plan_others
from .own_packages import require_packages
from .policy_plan import plan_policy
from .requirements import (
    check_group,
    check_holders,
    check_links,
    check_majors,
    check_modes,
    check_modules_disabled,
    check_root,
)
from .supply import DKMS, PACKAGE
from .supply_plan import plan_former_supply, plan_supply, uninstall
from .wanted_module import is_ours
from .watchdog_plan import plan_watchdog, undo_watchdog


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
    check_group(wanted['group'])
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
