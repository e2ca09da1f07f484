# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The health of a node: all that jobs rely on, looked at and said, nothing changed."""

import collections

from ..access import operator
from ..approved_lists.active import read_active_list
from ..errors import MsrSafeError
from ..hardware.devices import approved_list_device
from ..policy.of_node import bits_of_policy
from .bare_list import unite
from .baseline import BASELINE, compare_with_baseline, read_baseline, whose_baseline
from .job import GONE
from .list_in_force import is_in_force
from .lists import Lists
from .partitions import with_partitions
from .record import read_list_of, read_records
from .restoration import describe_problems, describe_writes, known_problems

Finding = collections.namedtuple('Finding', 'what state said')
Finding.__doc__ = """What was looked at, one of GOOD, BAD and NOT_CHECKED, and what is to be said."""

GOOD, BAD, NOT_CHECKED = 'good', 'bad', 'not checked'


def examine(machine, settings, manager):
    """Return the Findings about a node. settings: as of read_settings_or_usual. The lock of the records is held."""
    records = list(read_records(machine).values())
    try:
        approved_list_device(machine)
    except MsrSafeError as error:
        return [Finding('module', BAD, one_line(error))]
    lists = Lists(machine, settings)
    return [
        examine_lists(lists),
        examine_list_in_force(machine, lists, records),
        examine_registers(machine, lists, records),
        examine_stuck(machine),
        examine_records(records, manager),
    ]


def examine_settings(machine, settings):
    """Return whether the settings mean something, and the slurm.conf can be read that they name."""
    notes = [settings.broken] if settings.broken else with_partitions(machine, settings)[1]
    return Finding('settings', BAD if notes else GOOD, '; '.join(notes) or 'they are read')


def examine_lists(lists):
    """Return whether every list can be had that a job may ask for."""
    faults = []
    for name in ('', *lists.settings.profiles):
        try:
            lists.of(name)
        except MsrSafeError as error:
            faults.append(one_line(error))
    return Finding('lists', BAD if faults else GOOD, '; '.join(faults) or 'those of all profiles are there')


def examine_list_in_force(machine, lists, records):
    """Return whether the list in force is that of the jobs on the node, or the node's own."""
    whose = 'of job ' + ', '.join(record.job for record in records) if records else 'of the node'
    wanted = unite([read_list_of(machine, record.job) for record in records]) if records else lists.own()[0]
    if is_in_force(machine, wanted):
        return Finding('list in force', GOOD, 'it is that ' + whose)
    return Finding('list in force', BAD, 'it is not that %s: apply it with msr-safe load, between jobs' % whose)


def examine_registers(machine, lists, records):
    """Return whether registers are at the baseline: all, or those that the list in force lets root read."""
    what = 'registers'
    writers = [record.job for record in records if record.writes]
    if writers:
        return Finding(what, NOT_CHECKED, 'job %s may write them' % ', '.join(writers))
    try:
        baseline = read_baseline(machine)
        if baseline is None:
            return Finding(what, NOT_CHECKED, 'there is no baseline at %s yet' % BASELINE)
        owner = whose_baseline(machine, baseline)
        if owner:
            return Finding(what, BAD, 'the baseline is of %s: msr-job reset' % owner)
        entries = [entry for entry in lists.every() if entry.mask and entry.kind == 'configuration']
        seen = readable(machine, entries)
        policy, faults = bits_of_policy(machine)
        difference = compare_with_baseline(machine, baseline, seen, policy)
    except MsrSafeError as error:
        return Finding(what, BAD, one_line(error))
    said = describe_writes(difference.writes)
    if difference.problems:
        said.append(describe_problems(difference.problems))
    if said or faults:
        return Finding(what, BAD, '; '.join((['not as in the baseline: ' + '; '.join(said)] if said else []) + faults))
    words = '%d of %d are at the baseline' % (len(seen), len(entries))
    if len(seen) == len(entries):
        return Finding(what, GOOD, words)
    return Finding(what, NOT_CHECKED, words + '; the others cannot be read between jobs, and are as a job begins')


def readable(machine, entries):
    """Return the entries whose registers root can read whatever list is in force, or under this one."""
    if operator.is_allowed(machine):
        return entries
    addresses = {entry.address for entry in read_active_list(machine)}
    return [entry for entry in entries if entry.address in addresses]


def examine_stuck(machine):
    rows = known_problems(machine)
    said = '; '.join('%(address)s %(name)s on CPU %(cpus)s: %(error)s' % row for row in rows)
    return Finding('stuck', BAD if rows else GOOD, said or 'every register could be restored')


def examine_records(records, manager):
    """Return whether every record is of a job that is here. The first that has no step is asked for, no more."""
    silent = [record for record in records if not manager.has_step(record)][:1]
    gone = [job for job, state in manager.states_of(silent).items() if state == GONE]
    if gone:
        return Finding('records', BAD, 'job %s is over, and its epilog has not ended' % gone[0])
    return Finding('records', GOOD, 'of jobs: %s' % (', '.join(record.job for record in records) or 'none'))


def one_line(error):
    return ' '.join(str(error).split())
