# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A job's life on a node: what its prolog does to the registers, and its epilog undoes.

Every function wants the lock of the records (jobs_locked) to be held. A resource manager is a ``manager`` here: it
has states_of, is_alone, drain and cancel as Slurm does.
"""

import time

from ..access.lock import locked
from ..errors import MsrSafeError
from . import record as records
from .admission import Refused, admit, admit_beside, admit_values
from .bare_list import bare, is_writable, reading
from .image import read_image
from .job import ENDING, GONE
from .list_in_force import close_to_users, put_jobs_in_force
from .lists import Lists
from .record import Record
from .survivors import end_survivors, find_hidden


class Ending(Exception):
    """Jobs on the node have ended, and their epilogs have yet to run: try again after that."""


class NotRestored(MsrSafeError):
    """Registers could not be brought to the baseline."""


def begin(machine, job, asked, settings, manager, waits=False, values=''):
    """Prolog: bring the registers to the baseline, give the job its list; return what is to be logged.

    asked: the profile that the job asks for, '' if none; values: what it wants set, as of controls.py. Where it was
    done before, as slurmd was restarted, the list is put in force, if it is not. A job that was here before under the
    same number, and was started again, is undone first. Raises Refused, with ``lines`` to be logged: then the job has a
    record all the same, and nothing to write; Ending, if it waits for that; and MsrSafeError where the registers are
    not ready for a job. Then no job can write them.
    """
    if records.has_ended(machine, job.id, job.run):
        return ['job %s has ended here: its prolog comes too late' % job.id]
    present = records.read_records(machine)
    own = present.pop(job.id, None)
    image = read_image(machine, settings)
    lists = Lists(machine, settings, image)
    if own and is_same_run(own, job, manager):
        return have_in_force(machine, [*present, job.id], lists)
    gone = {job.id: own} if own else {}
    refusal = admission = wanted = None
    try:
        admission = admit(job, asked, settings, lists, manager.is_alone)
        wanted = admit_values(job, values, admission, settings, manager.is_alone)
    except Refused as error:
        refusal = error
    if any(record.writes for record in present.values()) or (admission and is_writable(admission.text)) or wanted:
        gone.update(leavers(present, manager, waits))
    lines = leave(machine, gone, settings, lists, image)
    stay = [record for record in present.values() if record.job not in gone]
    records.remove_record(machine, job.id)  # A refusal of a run before this one, if anything
    try:
        if stay and not refusal:
            admission = admit_beside(machine, asked, admission, stay, settings, bool(wanted))
    except Refused as error:
        refusal = error
    if not stay:  # Also before a job that is refused: those that come while it is here rely on it
        lines += prepare(machine, job, settings, lists, image)
    if refusal:
        refusal.lines += lines + enter(machine, job, '', reading(lists.own()[0]), stay, lists)
        raise refusal
    set_text = ''
    if wanted:
        set_lines, set_text = set_wanted(machine, job, wanted, admission, settings, lists)
        lines += set_lines
    notes = enter(machine, job, admission.profile, admission.text, stay, lists, set_text)
    return lines + admission.notes + notes


def is_same_run(record, job, manager):
    """Return whether a record is of this run of a job, whose prolog runs for the second time.

    Where the run is not said, it is if the job has a step: it was not started again without its epilog.
    """
    if record.run and job.run:
        return record.run == job.run
    return manager.has_step(record)


def leavers(present, manager, waits):
    """Return the records of jobs that are not on the node any more: their epilog never ended. Raises Ending."""
    states = manager.states_of(list(present.values())) if present else {}
    if waits and ENDING in states.values():
        raise Ending
    return {job: record for job, record in present.items() if states[job] == GONE}


def enter(machine, job, profile, text, stay, lists, set_text=''):
    """Record a job, and have its list in force with those of the others; return notes, texts.

    Raises MsrSafeError; the record is not there then.
    """
    record = Record(job.id, job.run, job.node, job.uid, profile, bool(set_text) or is_writable(text), time.time())
    records.write_record(machine, record, text, set_text)
    try:
        return have_in_force(machine, [*[each.job for each in stay], job.id], lists)
    except MsrSafeError:
        records.remove_record(machine, job.id)
        raise


def have_in_force(machine, jobs, lists):
    """As put_jobs_in_force, while nobody else puts a list in force."""
    with locked(machine, 'msr-job'):
        return put_jobs_in_force(machine, jobs, lists)


def set_wanted(machine, job, wanted, admission, settings, lists):
    """Set what a job asked for; return (what was written, a line each; the bare list of it).

    Raises Refused, with all brought back, where that cannot be.
    """
    from .controls import parse_bounds
    from .values import set_values

    bounds = parse_bounds(settings.profiles[admission.profile].sets, 'set')
    try:
        with locked(machine, 'msr-job'):
            lines, text = set_values(machine, wanted, bounds)
    except MsrSafeError as error:
        prepare(machine, job, settings, lists, None)
        enter(machine, job, '', reading(lists.own()[0]), [], lists)
        raise Refused(error.problem, error.remedy) from error
    return ['set for job %s: %s' % (job.id, line) for line in lines], text


def prepare(machine, job, settings, lists, image):
    """Have the registers at the baseline before a job gets the node; return what was written, a line each.

    Also those are tried again that could not be restored before. Raises NotRestored, unless that is tolerated.
    """
    lines = find_hidden(machine)
    with locked(machine, 'msr-job'):
        if is_as_expected(machine, image):
            return lines
        from .restoration import to_baseline

        restored = to_baseline(machine, settings, lists, adopts=True)
        if restored.problems and settings.prolog_failure == 'drain':
            put_jobs_in_force(machine, [], lists)
    return lines + account_for(machine, job.id, restored, settings.prolog_failure, 'before ')


def is_as_expected(machine, image):
    """Return whether all registers are as they should be; nothing is approved for writing while they are read.

    False also where that is not to be said at a glance.
    """
    if image is None or machine.exists(records.STUCK):
        return False
    close_to_users(machine, image.closed)
    return image.is_as_expected(machine)


def account_for(machine, job, restored, failure, when=''):
    """Return what is to be logged about what was restored. Raises NotRestored, unless that is tolerated."""
    from .restoration import describe_problems, note_problems

    note_problems(machine, job, restored)
    head = '%sjob %s: ' % (when, job) if job else ''
    lines = [head + line for line in restored.lines]
    if restored.problems:
        said = 'not restored: ' + describe_problems(restored.problems)
        if failure == 'drain':
            raise NotRestored(said)
        lines.append(head + said)
    return lines


def end(machine, job, settings, manager):
    """Epilog: bring the registers back, then the node's own list; return what is to be logged.

    Where other jobs are on the node, the epilog of the last one that can write does that. Raises NotRestored where a
    register could not be brought back, unless that is tolerated; it is remembered.
    """
    present = records.read_records(machine)
    own = present.pop(job.id, None)
    try:
        records.remember_end(machine, job.id, own.run if own else job.run)
    finally:  # A full /run keeps no register from coming back
        lines = end_of_record(machine, job, own, present, settings, manager)
    return lines


def end_of_record(machine, job, own, present, settings, manager):
    """End a job that has a record (None: it has not) beside those of others; return as end() does."""
    if own is None:
        records.remove_record(machine, job.id)
        return []
    gone = {job.id: own}
    if any(record.writes for record in present.values()):
        gone.update(leavers(present, manager, waits=False))
    image = read_image(machine, settings)
    return leave(machine, gone, settings, Lists(machine, settings, image), image)


def leave(machine, gone, settings, lists, image):
    """Have jobs leave the node ({job: Record}); undo what they did where nobody stays that may write.

    Raises MsrSafeError where that cannot even be tried; they keep their records then, and are undone before the next.
    """
    if not gone:
        return []
    stay = [record for job, record in records.read_records(machine).items() if job not in gone]
    wrote = [record for record in gone.values() if record.writes]
    lines, restored = [], None
    try:
        if wrote and not any(record.writes for record in stay):
            lines = end_survivors(machine, wrote, settings.survivors == 'kill') + find_hidden(machine)
            restored = undo(machine, settings, lists, image)
        for job in gone:
            records.remove_record(machine, job)
    finally:
        have_in_force(machine, [record.job for record in stay], lists)
    lines = ['job %s: %s' % (wrote[-1].job, line) for line in lines]
    return lines + account_for(machine, wrote[-1].job, restored, settings.epilog_failure) if restored else lines


def undo(machine, settings, lists, image):
    """Bring back what jobs may have changed; return it as Restored, None where there was nothing."""
    with locked(machine, 'msr-job'):
        if is_as_expected(machine, image):
            return None
        from .restoration import to_baseline

        return to_baseline(machine, settings, lists)


def report(machine, job, settings, restore):
    """Return (what a job changed so far, a line each; whether that was brought back now).

    restore: bring it back, rather than in the epilog. It is not where other jobs are on the node.
    """
    from .restoration import changed_by, describe_problems, to_baseline

    present = records.read_records(machine)
    record = present.pop(job, None)
    if record is None or not record.writes:
        return [], False
    lists = Lists(machine, settings)
    with locked(machine, 'msr-job'):
        if not restore or present:
            return changed_by(machine, lists), False
        restored = to_baseline(machine, settings, lists)
        put_jobs_in_force(machine, [job], lists)
    problems = ['not restored: ' + describe_problems(restored.problems)] if restored.problems else []
    return restored.lines + problems, True


def reset(machine, settings, manager, force=False):
    """Bring the node to its baseline and forget all jobs, as at boot; return what was written, a line each.

    A node without a baseline, or with that of another machine, gets one: what its registers hold now. Raises
    MsrSafeError where jobs are on the node, unless forced; NotRestored after doing all the rest.
    """
    from .baseline import FOREIGN, set_aside_foreign
    from .restoration import to_baseline

    require_no_job(machine, manager, force)
    lists = Lists(machine, settings)
    with locked(machine, 'msr-job'):
        try:
            owner = set_aside_foreign(machine)
            restored = to_baseline(machine, settings, lists, adopts=True)
        finally:
            for job in records.read_records(machine):
                records.remove_record(machine, job)
            put_jobs_in_force(machine, [], lists)
    lines = ['it is of %s: set aside as %s, a new one is taken' % (owner, FOREIGN)] if owner else []
    return lines + account_for(machine, '', restored, 'drain')


def renew_baseline(machine, settings, manager):
    """Make what the registers hold now the baseline. Raises MsrSafeError where jobs are on the node."""
    from .baseline import take_baseline

    require_no_job(machine, manager)
    lists = Lists(machine, settings)
    with locked(machine, 'msr-job'):
        entries = lists.every()
        try:
            close_to_users(machine, bare(entries))
            take_baseline(machine, entries)
            machine.remove(records.STUCK)
        finally:
            put_jobs_in_force(machine, [], lists)


def require_no_job(machine, manager, force=False):
    """Raise MsrSafeError where a job is on the node, as far as is known: it may have changed registers."""
    present = records.read_records(machine)
    states = manager.states_of(list(present.values())) if present and not force else {}
    here = [job for job, state in states.items() if state != GONE]
    if here:
        raise MsrSafeError(
            'Job %s is on this node, and may have changed registers.' % here[0], 'Drain the node, and wait for it.'
        )
