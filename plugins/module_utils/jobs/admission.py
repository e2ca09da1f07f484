# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The admission of a job to a node: which list it gets, or why it may not run there."""

import collections

from ..errors import MsrSafeError
from .bare_list import is_writable, reading
from .profile import is_allowed
from .record import read_list_of

Admission = collections.namedtuple('Admission', 'profile text notes')
Admission.__doc__ = """The profile that a job gets ('': the node's own list), its bare list, what is to be logged."""


class Refused(MsrSafeError):
    """The job may not have what it asked for: its user's affair, not the node's.

    lines: what is to be logged of the node all the same.
    """

    def __init__(self, problem, remedy=None):
        super().__init__(problem, remedy)
        self.lines = []


def admit(job, asked, settings, lists, is_alone):
    """Return the Admission of a job, whoever else is on the node. Raises Refused.

    lists: the node's Lists; is_alone: function that says whether Slurm gave it the node as a whole, asked where its
    partition does not say. What a job gets that asks for nothing can always share a node: it writes no registers,
    unless the node is its own.
    """
    if settings.broken:
        if asked:
            raise Refused('the settings of this node are broken: ' + settings.broken, 'Tell the administrators.')
        text, notes = lists.own()
        return Admission('', reading(text), [settings.broken, *notes])
    owns = job.alone or job.partition in settings.exclusive or settings.shared == 'last'
    if not asked:
        return usual_admission(job, settings, lists, owns)
    require_allowed(job, asked, settings)
    try:
        text = lists.of(asked)
    except MsrSafeError as error:
        raise Refused(
            "the list of the profile '%s' is broken: %s" % (asked, error), 'Tell the administrators.'
        ) from error
    if is_writable(text) and not owns and not is_alone(job):
        raise Refused(
            "jobs with the profile '%s' may write registers, and need a node of their own." % asked,
            'Ask for one: --exclusive%s.' % ''.join(', or --partition=' + name for name in settings.exclusive),
        )
    return Admission(asked, text, [])


def usual_admission(job, settings, lists, owns):
    """Return the Admission of a job that asks for nothing."""
    name = settings.partition_defaults.get(job.partition, settings.default_profile)
    notes = []
    if name and is_allowed(settings.profiles[name], job):
        try:
            text = lists.of(name)
            return Admission(name, text if owns else reading(text), notes)
        except MsrSafeError as error:
            notes = ["the list of the profile '%s' is broken: %s" % (name, error)]
    text, more_notes = lists.own()
    # Who may not have the site's default gets no more than that, whatever the node's own list is
    return Admission('', text if owns and not name else reading(text), notes + more_notes)


def require_allowed(job, name, settings):
    """Raise Refused where a job may not have the profile that it asks for."""
    if name not in settings.profiles:
        raise Refused('there is no profile %r.' % name, 'There are: %s.' % (', '.join(settings.profiles) or 'none'))
    if not is_allowed(settings.profiles[name], job):
        allowed = [each.name for each in settings.profiles.values() if is_allowed(each, job)]
        raise Refused(
            "the profile '%s' is not for user %s, account %s, partition %s."
            % (name, job.user or job.uid, job.account or '(none)', job.partition or '(none)'),
            'This job may have: %s.' % (', '.join(allowed) or 'none'),
        )


def admit_values(job, values, admission, settings, is_alone):
    """Return the values that a job wants set, {control: value}, None if it does not. Raises Refused."""
    if not values:
        return None
    from .controls import parse_bounds, parse_values  # Most jobs want nothing set

    profile = settings.profiles.get(admission.profile)
    try:
        wanted = parse_values(values, parse_bounds(profile.sets if profile else [], 'set'))
    except MsrSafeError as error:
        raise Refused(error.problem, error.remedy) from error
    if not (job.alone or job.partition in settings.exclusive or is_alone(job)):
        raise Refused('jobs that have registers set need a node of their own.', 'Ask for one: --exclusive.')
    return wanted


def admit_beside(machine, asked, admission, others, settings, sets=False):
    """Return the Admission of a job beside others ([Record]) that are on the node. Raises Refused.

    sets: whether it wants registers set, which the others would feel.
    """
    if settings.shared == 'last' and not sets:
        first = others[0]
        if asked and asked != first.profile:
            raise Refused(
                'job %s on this node has another profile than %s.' % (first.job, asked), 'Ask for a node of your own.'
            )
        return Admission(first.profile, read_list_of(machine, first.job), admission.notes)
    writers = [record for record in others if record.writes]
    if writers:
        raise Refused(
            'job %s on this node may write registers, which all jobs on it would feel.' % writers[0].job,
            'Jobs that may write need a node of their own: --exclusive.',
        )
    if sets or is_writable(admission.text):
        raise Refused(
            'job %s is on this node, and would feel what this one writes.' % others[0].job,
            'Jobs that may write need a node of their own: --exclusive.',
        )
    return admission
