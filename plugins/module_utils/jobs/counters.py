# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The counters of a node: how many jobs there were since it booted, what became of them, and how long it took."""

import os

from .record import DIRECTORY, write_file

PATH = os.path.dirname(DIRECTORY) + '/counters'

# Name -> what it counts, as Prometheus is told
COUNTERS = {
    'jobs': 'Jobs that began on this node.',
    'refusals': 'Jobs that were refused what they asked for.',
    'restores': 'Registers that were brought back to the baseline, one for each value and list of CPUs.',
    'failures': 'Prologs and epilogs that failed, tolerated or not.',
    'prolog_seconds': 'Seconds that prologs took, waiting for other jobs included.',
    'epilog_seconds': 'Seconds that epilogs took.',
}


def read_counters(machine):
    """Return {name: number}; all 0 where nothing was counted, or the file is damaged."""
    counted = dict.fromkeys(COUNTERS, 0.0)
    for line in (machine.read_text(PATH) or '').splitlines():
        name, _blank, number = line.partition(' ')
        try:
            if name in counted:
                counted[name] = float(number)
        except ValueError:
            continue
    return counted


def count(machine, **added):
    """Add to counters. The lock of the records has to be held."""
    counted = read_counters(machine)
    for name, number in added.items():
        counted[name] += number
    write_file(machine, PATH, ''.join('%s %.6f\n' % item for item in sorted(counted.items())))
