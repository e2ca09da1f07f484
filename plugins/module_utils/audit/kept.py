# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The runs that are kept on the controller: a file each; older ones go by count and by age."""

import calendar
import re
import time

from ..errors import MsrSafeError
from .run import parse_run, render_run

NAME = re.compile(r'(\d{4}-\d\d-\d\dT\d{6}Z)\.json\Z')
STAMP = '%Y-%m-%dT%H%M%SZ'
RFC3339 = '%Y-%m-%dT%H:%M:%SZ'
DAY = 24 * 60 * 60


def runs_directory(directory):
    return directory + '/runs'


def run_path(directory, when):
    """Return the path of the run of a time (RFC 3339)."""
    return '%s/%s.json' % (runs_directory(directory), when.replace(':', ''))


def kept_runs(machine, directory):
    """Return the paths of the kept runs, the oldest first."""
    names = [name for name in machine.list(runs_directory(directory)) if NAME.match(name)]
    return ['%s/%s' % (runs_directory(directory), name) for name in names]


def read_run(machine, path):
    """Return the Run of a file. Raises MsrSafeError."""
    text = machine.read_text(path)
    if text is None:
        raise MsrSafeError('There is no run %s.' % path, 'Give the path of a run that hpc.msr_safe.audit kept.')
    return parse_run(text, path)


def keep_run(machine, directory, run):
    """Write a run beside the others; return its path."""
    path = run_path(directory, run.time)
    machine.write(path, render_run(run).encode('utf-8'), mode=0o640)
    return path


def forget_runs(machine, directory, count, days, now=None):
    """Remove the runs beyond so many, and those older than so many days; 0 is no limit. The newest stays."""
    paths = kept_runs(machine, directory)
    oldest = (time.time() if now is None else now) - days * DAY
    surplus = set(paths[:-count]) if count else set()
    aged = {path for path in paths if days and time_of(path) < oldest}
    for path in sorted((surplus | aged) & set(paths[:-1])):
        machine.remove(path)


def time_of(path):
    """Return when the run of a path was, in seconds since the epoch."""
    return calendar.timegm(time.strptime(NAME.search(path).group(1), STAMP))
