# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A job's life on a node: what its prolog does to the registers, and its epilog undoes.

Every function but await_epilogs wants the lock of the records (jobs_locked) to be held.
"""

import collections
import contextlib
import os
import signal
import time

from ..errors import MsrSafeError
from ..hardware.devices import device_holders
from . import record as records
from .baseline import BASELINE, restore_baseline, save_baseline
from .msrsave_command import restore_registers, save_registers
from .profile import activate_profile, is_allowed, is_writable, read_profile_list
from .record import Record
from .slurm import jobs_on

# Seconds until what was killed has closed its descriptors.
SURVIVORS_TIME = 2

# Seconds that a prolog waits for the epilogs of others: Slurm kills what does not end by itself within 30, as a rule.
EPILOGS_TIME = 120


class Refused(MsrSafeError):
    """The job may not have what it asked for: its user's affair, not the node's."""


def await_epilogs(machine, job, node):
    """Return when the jobs that are completing have left the node, or after EPILOGS_TIME: who then is here, is here.

    Slurm may start a prolog while the epilog of the job before, on a node of its own, has yet to run. The lock must
    not be held: the epilogs want it. Raises MsrSafeError where Slurm does not answer.
    """
    deadline = time.monotonic() + EPILOGS_TIME
    while is_any_completing(machine, job, node) and time.monotonic() < deadline:
        time.sleep(0.5)


def is_any_completing(machine, job, node):
    """Return whether another job of the node has yet to be undone by its epilog, which will run."""
    return any(is_completing for _record, is_completing in other_jobs(machine, job, node))


def begin(machine, job, asked, settings, node):
    """Prolog: give the job the list of its profile, and save what the registers hold; return what is to be logged.

    asked: the profile that the job asks for, '' if none. Does nothing where it was done before: slurmd may have
    been restarted. Raises Refused, and MsrSafeError where the registers are not ready for a job; the node's own
    list is then in force.
    """
    stay, gone = neighbours(machine, job.id, node)
    lines = leave_all(machine, gone, stay, settings)
    if records.read_record(machine, job.id):
        return lines
    profile = admit(machine, job, asked, settings, stay)
    records.write_record(machine, Record(job.id, job.uid, profile, time.time()))
    if not stay:  # Else they came first: the list is theirs, and so is the snapshot
        prepare(machine, job.id, profile, settings)
    return lines


def prepare(machine, job, profile, settings):
    """Make the node one of this job, or leave it as it was."""
    try:
        if is_writable(activate_profile(machine, profile)):
            save_registers(machine, settings.msrsave, records.snapshot_of(job))
    except MsrSafeError:
        activate_profile(machine, '')
        records.remove_record(machine, job)
        raise


def admit(machine, job, asked, settings, others):
    """Return the profile that a job gets. Raises Refused."""
    profile = choose_profile(job, asked, settings)
    if not others:
        return profile
    first = next(iter(others.values()))
    if asked and asked != first.profile:
        raise Refused(
            'job %d on this node has another profile than %s.' % (first.job, asked), 'Ask for a node of your own.'
        )
    if settings.shared == 'refuse' and is_writable(read_profile_list(machine, first.profile)):
        raise Refused(
            'job %d on this node may write registers, which all jobs on it would feel.' % first.job,
            'Jobs that may write need a node of their own: --exclusive.',
        )
    return first.profile


def choose_profile(job, asked, settings):
    """Return the profile that a job asks for, or else the site's default. Raises Refused."""
    name = asked or settings.default_profile
    if not name:
        return ''
    if name not in settings.profiles:
        raise Refused('there is no profile %r.' % name, 'There are: %s.' % (', '.join(settings.profiles) or 'none'))
    if not is_allowed(settings.profiles[name], job):
        if not asked:
            return ''
        allowed = [each.name for each in settings.profiles.values() if is_allowed(each, job)]
        raise Refused(
            "the profile '%s' is not for user %s, account %s, partition %s."
            % (name, job.user or job.uid, job.account or '(none)', job.partition or '(none)'),
            'This job may have: %s.' % (', '.join(allowed) or 'none'),
        )
    return name


def neighbours(machine, job, node):
    """Return the records of the other jobs of the node: ({job: Record} of those that Slurm has on it, of the others).

    The others are jobs whose epilog never ended.
    """
    others = other_jobs(machine, job, node)
    stay = collections.OrderedDict((record.job, record) for record, present in others if present is not None)
    return stay, [record.job for record, present in others if present is None]


def other_jobs(machine, job, node):
    """Return the other jobs of the node, [(Record, whether Slurm is completing it, None if it is not there)].

    Slurm is asked only where there are records.
    """
    others = [record for record in records.read_records(machine).values() if record.job != job]
    present = jobs_on(machine, node) if others else {}
    return [(record, present.get(record.job)) for record in others]


def end(machine, job, settings, node):
    """Epilog: bring the registers back, then the node's own list; return what is to be logged.

    Where other jobs are on the node, the epilog of the last one does that. Raises MsrSafeError where a register could
    not be brought back; the record then stays, and the next prolog tries again.
    """
    if records.read_record(machine, job) is None:
        records.remove_record(machine, job)  # A refusal, if anything
        return []
    stay, gone = neighbours(machine, job, node)
    return leave_all(machine, [*gone, job], stay, settings)


def leave_all(machine, jobs, stay, settings):
    """Have jobs leave the node, one after the other."""
    return [line for job in jobs for line in leave(machine, job, stay, settings)]


def leave(machine, job, stay, settings):
    """Have a job leave the node; with no other that stays, undo what it did."""
    if stay:
        if machine.exists(records.snapshot_of(job)):
            records.hand_over(machine, job, next(iter(stay)))
        records.remove_record(machine, job)
        return []
    record = records.read_record(machine, job)
    lines = stop_survivors(machine, record, settings)
    try:
        lines += bring_back(machine, record, settings)
    finally:
        activate_profile(machine, '')
    records.remove_record(machine, job)
    return ['job %d: %s' % (job, line) for line in lines]


def stop_survivors(machine, record, settings):
    """Kill what is left of the job's user with a device open: it would go on under the next job.

    Returns who that is, a line each. Root's processes are nobody's job.
    """
    found, deadline = [], time.monotonic() + SURVIVORS_TIME
    while time.monotonic() < deadline:
        survivors = [
            holder for holder in device_holders(machine) if record.uid and uid_of(machine, holder) == record.uid
        ]
        found += [holder for holder in survivors if holder not in found]
        if not survivors or settings.survivors == 'report':
            break
        for holder in survivors:
            with contextlib.suppress(ProcessLookupError):
                os.kill(holder['pid'], signal.SIGKILL)
        time.sleep(0.02)
    verb = 'still has' if settings.survivors == 'report' else 'was killed: it had'
    return ['%s (pid %d) %s %s open' % (holder['command'], holder['pid'], verb, holder['path']) for holder in found]


def uid_of(machine, holder):
    """Return the user id of a process, None where it is gone."""
    try:
        return os.stat(machine.path('/proc/%d' % holder['pid'])).st_uid
    except OSError:
        return None


def bring_back(machine, record, settings):
    """Restore a job's snapshot, or else the baseline: a prolog that was killed may have left none.

    The list is activated once more: an administrator may have loaded another one since.
    """
    entries = activate_profile(machine, record.profile)
    if machine.exists(records.snapshot_of(record.job)):
        return restore_registers(machine, settings.msrsave, records.snapshot_of(record.job))
    return restore_baseline(machine, settings) if is_writable(entries) else []


def report(machine, job, settings, restore):
    """Return what a job changed so far, a line each. restore: bring it back now, rather than in the epilog."""
    path = records.snapshot_of(job)
    if not machine.exists(path):
        return []
    return restore_registers(machine, settings.msrsave, path, *([] if restore else ['-n']))


def reset(machine, settings):
    """Bring the node to its baseline and forget all jobs, as at boot; return what was written, a line each.

    A node without a baseline gets one: what its registers hold now.
    """
    written = restore_baseline(machine, settings) if machine.exists(BASELINE) else []
    for job in records.read_records(machine):
        records.remove_record(machine, job)
    save_baseline(machine, settings)
    return written
