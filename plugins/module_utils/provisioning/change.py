# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A change of a plan: one action on a node, in a stage, with what it replaces.

A dictionary of plain data, since it travels: ``{'stage': one of STAGES,
'action': the name of an Action, 'title': a line for people, 'before', 'after':
texts for the diff, …: what the action needs}``. ``'disturbs': True`` is in a
change that a running job would feel, ``'deferred': why`` in one that has to
wait.
"""

import zipfile

from ..errors import MsrSafeError
from . import dkms_actions, slurm_actions  # noqa: F401  pylint: disable=unused-import  # they add theirs
from .actions import ACTIONS

STAGES = (
    'build',
    'deliver',
    'install',
    'permissions',
    'load',
    'commands',
    'approve',
    'policy',
    'jobs',
    'slurm',
    'boot',
    'restart',
    'remove',
)


def build_change(stage, action, title, before, after, **arguments):
    """Return a change that carries out an Action; before and after are texts, None where there is nothing."""
    return dict(arguments, stage=stage, action=action.name, title=title, before=before or '', after=after or '')


def defer(change, reason):
    """Return a change that is not to be done now. reason: why, in words."""
    return dict(change, deferred=reason)


def defer_for_jobs(change, jobs):
    """Return a change that is not to be done while jobs are on the node."""
    when = 'it has' if len(jobs) == 1 else 'they have'
    return defer(change, '%s; run the role again when %s ended' % (describe_jobs(jobs), when))


def is_deferred(change):
    return bool(change.get('deferred'))


def disturbs(change):
    """Return whether a change would be felt by a job that runs on the node."""
    return bool(change.get('disturbs'))


def describe_jobs(jobs):
    """Return why a node is left alone, in words, or None where no job is on it."""
    if not jobs:
        return None
    return 'job %s is on the node' % jobs[0] if len(jobs) == 1 else '%d jobs are on the node' % len(jobs)


def due(changes):
    """Return the changes that are to be done now."""
    return [change for change in changes if not is_deferred(change)]


def deferrals(changes):
    """Return what is not done now and why: ``[{'what': 'load: load msr_safe', 'why': 'job 42 is on the node'}]``."""
    return [{'what': describe_change(each), 'why': each['deferred']} for each in changes if is_deferred(each)]


def describe_deferrals(waiting):
    """Return deferrals as lines: ``load: load msr_safe: job 42 is on the node``."""
    return ['%(what)s: %(why)s' % each for each in waiting]


def due_stages(changes):
    """Return the stages that have a change to be done now, in order."""
    stages = {change['stage'] for change in due(changes)}
    return [stage for stage in STAGES if stage in stages]


def payload_of(change):
    """Return what of the controller's a change needs (see actions.py), or None."""
    return ACTIONS[change['action']].payload


def unloads(change):
    """Return whether a change takes the kernel module out of the kernel."""
    return ACTIONS[change['action']].unloads


def describe_change(change):
    """Return a change as a line for people: ``load: unload msr_safe 1.7.0, load 2.0.0``."""
    return '%s: %s' % (change['stage'], change['title'])


def carry_out_change(machine, change, payload=None):
    """Carry out a change. payload: the bytes sent along, where its action needs some.

    Returns notes, texts. Raises MsrSafeError; what the change was to replace is then still there.
    """
    action = ACTIONS[change['action']]
    if action.payload and payload is None:
        raise MsrSafeError('Cannot %s: the %s was not sent along.' % (change['title'], action.payload))
    try:
        return action.carry_out(machine, change, payload) or []
    except (OSError, zipfile.BadZipfile) as error:
        raise MsrSafeError('Cannot %s: %s.' % (change['title'], error)) from error
