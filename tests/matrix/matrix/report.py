# SPDX-License-Identifier: GPL-3.0-or-later
"""What trials have shown, as a table."""

from collections import Counter

from results import table

HEADER = ['kernel', 'release', 'compiler warnings', 'tests passed', 'failed', 'skipped', 'kernel complaints', 'minutes']


def render(trials):
    """A row for each trial, and below it all that was not as it should be, or was left out. Markdown."""
    remarks = [f'- {remark}' for trial in trials for remark in _remarks(trial)]
    return '\n'.join([table(HEADER, [_row(trial) for trial in trials]), *remarks])


def _row(trial):
    outcome = trial.outcome
    counts = [outcome.passed, *map(len, (outcome.failed, outcome.skipped, outcome.complaints))]
    return [trial.kernel.name, trial.release, len(trial.warnings), *counts, round(trial.seconds / 60)]


def _remarks(trial):
    name = trial.kernel.name
    if trial.problem:
        yield f'{name}: {trial.problem}'
    yield from (f'{name}: compiler: {warning}' for warning in trial.warnings)
    yield from (f'{name}: {test} failed' for test in trial.outcome.failed)
    yield from (f'{name}: kernel log: {complaint}' for complaint in trial.outcome.complaints)
    for reason, count in Counter(trial.outcome.skipped.values()).items():
        yield f'{name}: {count} skipped: {reason}'
