# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Slurm: what it says about a job, and what it is asked to do."""

import collections
import os

from ..errors import MsrSafeError

# slurmctld keeps a reason of any length; people read it in one line of sinfo.
REASON_LENGTH = 200

Job = collections.namedtuple('Job', 'id uid user account partition')
Job.__doc__ = """A job as slurmd names it to a prolog: its number, its user's number and name, account, partition."""


def job_of(environment):
    """Return the Job that a prolog's or epilog's environment is about. Raises MsrSafeError."""
    try:
        return Job(
            int(environment['SLURM_JOB_ID']),
            int(environment['SLURM_JOB_UID']),
            environment.get('SLURM_JOB_USER', ''),
            environment.get('SLURM_JOB_ACCOUNT', ''),
            environment.get('SLURM_JOB_PARTITION', ''),
        )
    except (KeyError, ValueError) as error:
        raise MsrSafeError(
            'SLURM_JOB_ID and SLURM_JOB_UID do not name a job (%s).' % error,
            'This is for slurmd to run, as prolog or epilog.',
        ) from error


def node_name(environment):
    return environment.get('SLURMD_NODENAME') or os.uname().nodename.partition('.')[0]


def jobs_on(machine, node):
    """Return which jobs Slurm has on a node: {job: is it completing?}. Raises MsrSafeError where it does not answer."""
    output = machine.command('squeue', '--noheader', '--format=%A %t', '--nodelist=' + node)
    rows = [line.split() for line in output.splitlines()]
    return {int(row[0]): row[1] == 'CG' for row in rows if len(row) == 2 and row[0].isdigit()}


def drain(machine, node, reason):
    """Let no more jobs onto a node."""
    machine.command('scontrol', 'update', 'nodename=' + node, 'state=drain', 'reason=' + shorten(reason))


def cancel(machine, job, why):
    """End a job, with the reason in what ``scontrol show job`` tells."""
    machine.command('scontrol', 'update', 'jobid=%d' % job, 'admincomment=' + shorten(why))
    machine.command('scancel', str(job))


def shorten(text):
    """Return a text as one line that is not too long."""
    line = ' '.join(text.split())
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 3] + '...'
