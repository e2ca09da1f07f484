# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Slurm: what it says about a job, and what it is asked to do."""

import contextlib
import os
import re

from ..errors import MsrSafeError
from .job import ENDING, GONE, HERE, Job

# slurmctld keeps a reason of any length; people read it in one line of sinfo.
REASON_LENGTH = 200
# Of what all nodes of a job say together; the accounting keeps it for ever.
COMMENT_LENGTH = 1000
# Seconds for one command: slurmctld may be away, and a command would wait for it.
COMMAND_TIME = 5

# The sockets of this kernel on which processes listen: those of steps are <SlurmdSpoolDir>/<node>_<job>.<step>
SOCKETS = '/proc/net/unix'


def job_of(environment):
    """Return the Job that a prolog's or epilog's environment is about. Raises MsrSafeError.

    The run is told by SLURM_JOB_RESTART_COUNT, since Slurm 22.05; SLURM_JOB_OVERSUBSCRIBE is there since 23.02.
    """
    try:
        return Job(
            str(int(environment['SLURM_JOB_ID'])),
            environment.get('SLURM_JOB_RESTART_COUNT', ''),
            node_name(environment),
            int(environment['SLURM_JOB_UID']),
            environment.get('SLURM_JOB_USER', ''),
            environment.get('SLURM_JOB_ACCOUNT', ''),
            environment.get('SLURM_JOB_PARTITION', ''),
            environment.get('SLURM_JOB_OVERSUBSCRIBE') == 'NO',
        )
    except (KeyError, ValueError) as error:
        raise MsrSafeError(
            'SLURM_JOB_ID and SLURM_JOB_UID do not name a job (%s).' % error,
            'This is for slurmd to run, as prolog or epilog.',
        ) from error


def node_name(environment):
    return environment.get('SLURMD_NODENAME') or os.uname().nodename.partition('.')[0]


class Slurm:
    """Slurm as a node's prolog and epilog may ask it: seldom, and never for long."""

    def __init__(self, machine, node, directory='', seconds=COMMAND_TIME):
        self.machine, self.node, self.directory, self.seconds = machine, node, directory, seconds

    def command(self, name, *arguments):
        """Run a command of Slurm's; return its output. Raises MsrSafeError."""
        code, output = self.try_command(name, *arguments)
        if code != 0:
            reason = 'no answer within %d s' % self.seconds if code == 124 else output.strip()
            raise MsrSafeError('%s failed (exit %d): %s' % (' '.join([name, *arguments]), code, reason))
        return output

    def try_command(self, name, *arguments):
        program = '%s/%s' % (self.directory, name) if self.directory else name
        return self.machine.run(['timeout', '--kill-after=1', str(self.seconds), program, *arguments])

    def states_of(self, records):
        """Return {job: HERE, ENDING or GONE} of jobs that have a record on this host.

        A job with a step is here; of others Slurm is asked, one by one. What it does not answer for is here.
        """
        return {record.job: HERE if self.has_step(record) else self.ask_state(record) for record in records}

    def has_step(self, record):
        """Return whether a step of a job listens on this host."""
        return '/%s_%s.' % (record.node, record.job) in (self.machine.read_text(SOCKETS) or '')

    def ask_state(self, record):
        code, output = self.try_command(
            'squeue', '--local', '--noheader', '--format=%t', '--jobs=' + record.job, '--nodelist=' + record.node
        )
        if code != 0:
            return GONE if 'Invalid job id' in output else HERE
        state = output.strip()
        return GONE if state in GONE_STATES else ENDING if state == 'CG' else HERE

    def is_alone(self, job):
        """Return whether Slurm gave a job its nodes as a whole; False where it does not answer."""
        code, output = self.try_command('scontrol', '--oneliner', 'show', 'job', job.id)
        return code == 0 and 'OverSubscribe=NO' in output.split()

    def drain(self, reason):
        """Let no more jobs onto this node."""
        self.command('scontrol', 'update', 'nodename=' + self.node, 'state=drain', 'reason=' + shorten(reason))

    def comment(self, job, text):
        """Add a text to a job's AdminComment in the accounting, after what is there. Raises MsrSafeError.

        slurmctld takes none once a job's processes are over, which is before its epilog. Two nodes that do so at once
        may lose one of the texts: Slurm replaces a comment, it does not add to it. In lower case, as sacctmgr has all.
        """
        shown, said = self.accounted(job)
        if said != as_sacctmgr_keeps(said):
            raise MsrSafeError('it has a text that sacctmgr would spoil: ' + shorten(said))
        whole = '; '.join(filter(None, [said, as_sacctmgr_keeps(text)]))
        if len(whole) <= COMMENT_LENGTH or not said:
            self.command(
                *('sacctmgr', '--immediate', 'modify', 'job', 'where', 'jobid=' + shown),
                *('set', 'admincomment=' + shorten(whole, COMMENT_LENGTH)),
            )

    def accounted(self, job):
        """Return how the accounting shows a job, and its AdminComment there. Raises MsrSafeError.

        By its number sacctmgr would change all tasks of an array that has the same, and so with heterogeneous jobs;
        42_1 or 42+1 is one of them.
        """
        options = ('--allocations', '--noheader', '--parsable2', '--format=JobIDRaw,JobID,AdminComment')
        output = self.command('sacct', *options, '--jobs=' + job)
        rows = re.split(r'^([0-9]+)\|([^|\n]*)\|', output, flags=re.MULTILINE)[1:]
        for number, shown, said in zip(rows[0::3], rows[1::3], rows[2::3]):
            if number == job:
                return shown, said.rstrip('\n')
        raise MsrSafeError('the accounting does not know the job.')

    def cancel(self, job, why):
        """End a job, with the reason in what ``scontrol show job`` tells. Raises MsrSafeError where it cannot be ended.

        On its other nodes it may be over by now.
        """
        with contextlib.suppress(MsrSafeError):
            self.command('scontrol', 'update', 'jobid=' + job, 'admincomment=' + shorten(why))
        self.command('scancel', job)


# squeue leaves a job out that is not on the node; these are of one that it has not forgotten yet.
GONE_STATES = ('', 'PD', 'CD', 'F', 'CA', 'TO', 'NF', 'OOM', 'BF', 'DL', 'PR', 'RQ', 'RH', 'SE')


def as_sacctmgr_keeps(text):
    """Return a text as one that sacctmgr takes as it is: of Slurm 22.05 it was seen to do the same, or worse."""
    return ' '.join(text.translate({ord('"'): '`', ord("'"): '`'}).lower().split())


def shorten(text, length=REASON_LENGTH):
    """Return a text as one line that is not longer than this."""
    line = ' '.join(text.split())
    return line if len(line) <= length else line[: length - 3] + '...'
