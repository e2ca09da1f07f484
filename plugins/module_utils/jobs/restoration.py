# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The restoration of registers to the baseline and the policy, and which could not be restored."""

import collections
import contextlib
import json

from ..access import operator
from ..access.write import (
    carried_out,
    describe_row,
    problem_of,
    render_problems,
    summarize_problems,
    summarize_writes,
)
from ..approved_lists.approved_list import parse_entries
from ..approved_lists.counters import forbidden_bits
from ..errors import MsrSafeError
from ..hexadecimal import format_address
from ..policy.of_node import bits_of_policy
from .bare_list import bare, reading
from .baseline import columns_of, compare_with_baseline, read_baseline, require_baseline, take_baseline
from .image import build_image, write_image
from .list_in_force import close_to_users, open_to_root
from .record import STUCK, write_file

# Somebody may write what was just restored: a descriptor that nobody finds, the kernel.
ROUNDS = 3

STUCK_FIELDS = ('address', 'name', 'error', 'cpus', 'job')

Restored = collections.namedtuple('Restored', 'lines problems addresses')
Restored.__doc__ = """What was written, a line each, the Problems met, and the addresses of all that was looked at."""


def to_baseline(machine, settings, lists, adopts=False):
    """Bring all registers that a job could change to the baseline, and return what was done as Restored.

    Of the bits that the policy of the node speaks of, it is that which says what they are to hold.
    A node without a baseline gets one where nobody can have changed registers yet (adopts). Leaves registers closed to
    users.
    """
    entries = lists.every(of_jobs=not adopts)
    if not any(entry.mask for entry in entries):
        return Restored([], [], [])
    baseline = read_baseline(machine) if adopts else require_baseline(machine)
    if baseline is None:
        close_to_users(machine, bare(entries))
        baseline = take_baseline(machine, entries)
    if not adopts:
        of_jobs = {entry.address for entries in lists.lists_of_jobs() for entry in entries}
        known = baseline['registers']
        # A profile may be new since they began; the next prolog takes its registers into the baseline
        entries = [each for each in entries if each.address in of_jobs or format_address(each.address) in known]
    policy, faults = bits_of_policy(machine)
    restored = bring_back(machine, baseline, entries, policy, adopts)
    if adopts and not restored.problems and not faults:
        make_image(machine, settings, lists, columns_of(machine, baseline, entries, policy), entries)
    return restored._replace(lines=['left to the baseline: ' + fault for fault in faults] + restored.lines)


def make_image(machine, settings, lists, found, entries):
    """Make the image of the node, unless some registers of it are on some CPUs only. found: as of columns_of."""
    if found:
        cpus, columns = found
        for name in ('', *settings.profiles):
            with contextlib.suppress(MsrSafeError):
                lists.of(name)
        forbidden = {text: forbidden_in(text) for text in lists.known.values()}
        forbidden.update((reading(text), {}) for text in lists.known.values())
        write_image(machine, settings, build_image(lists.stamp, lists.known, forbidden, entries, cpus, columns))


def forbidden_in(text):
    """Return the bits that registers are not to have while a list is in force: {address: bits}."""
    found = {entry.address: forbidden_bits(entry) for entry in parse_entries(text, 'the list')}
    return {address: bits for address, bits in found.items() if bits}


def changed_by(machine, lists):
    """Return what jobs on the node changed so far, a line each. Their lists stay in force."""
    entries = [entry for entries in lists.lists_of_jobs() for entry in entries]
    names = {entry.address: entry for entry in lists.every()}
    entries = [names[entry.address]._replace(mask=entry.mask) for entry in entries]
    policy, _faults = bits_of_policy(machine)
    return describe_writes(compare_with_baseline(machine, require_baseline(machine), entries, policy).writes)


def bring_back(machine, baseline, entries, policy, adopts=False):
    """Bring the registers of a list to the baseline, or the policy, and return what was done as Restored.

    Nothing is approved for writing while registers are compared, and they are compared until all are as they should
    be. Leaves them closed to users. adopts: as of compare_with_baseline.
    """
    done, problems = [], []
    stuck_before = {row['address'] for row in known_problems(machine)}
    for number in range(ROUNDS + 1):
        close_to_users(machine, bare(entries))
        difference = compare_with_baseline(machine, baseline, entries, policy, adopts, stuck_before)
        stuck = {(problem.address, problem.cpu) for problem in problems}
        due = [write for write in difference.writes if (write.address, write.cpu) not in stuck]
        problems = problems or difference.problems
        if not due:
            break
        if number == ROUNDS:
            problems = problems + [problem_of(write, write.cpu, 'something else writes it, too') for write in due]
            break
        open_to_root(machine, bare(entries))
        met = operator.write(machine, due)
        problems = problems + met
        done += carried_out(due, met)
    return Restored(describe_writes(done), problems, [entry.address for entry in entries])


def describe_writes(writes):
    return [
        '%s  %s -> %s  on CPU %s' % (describe_row(row), row['before'], row['after'], row['cpus'])
        for row in summarize_writes(writes)
    ]


def describe_problems(problems):
    return '; '.join(render_problems(summarize_problems(problems)).split('\n'))


def known_problems(machine):
    """Return what is known to be stuck: [{'address', 'name', 'error', 'cpus', 'job'}]."""
    try:
        return [{field: row[field] for field in STUCK_FIELDS} for row in json.loads(machine.read_text(STUCK) or '[]')]
    except (KeyError, TypeError, ValueError):
        return []  # Damaged: what is stuck is met again


def note_problems(machine, job, restored):
    """Remember what could not be restored, until it could."""
    looked_at = {format_address(address) for address in restored.addresses}
    rows = [row for row in known_problems(machine) if row['address'] not in looked_at]
    rows += [dict(row, job=job) for row in summarize_problems(restored.problems)]
    if rows:
        write_file(machine, STUCK, json.dumps(rows) + '\n')
    else:
        machine.remove(STUCK)
