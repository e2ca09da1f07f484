# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Slurm: what it says about a job, and what it is asked to do."""

import contextlib
import os
import stat
import time

from ..errors import MsrSafeError
from .job import ENDING, GONE, HERE, Job

# slurmctld keeps a reason of any length; people read it in one line of sinfo.
REASON_LENGTH = 200
# Of what all nodes of a job say together; the accounting keeps it for ever.
COMMENT_LENGTH = 1000
# Seconds, and up to twice that, after which a node looks whether another has replaced its text.
COMMENT_PAUSES = (1, 2, 4)
# Seconds for one command: slurmctld may be away, and a command would wait for it.
COMMAND_TIME = 5
# Seconds for one of the accounting's, which waits for slurmdbd and its database, and for all of a comment: nobody waits
# for that, but Slurm for the epilog.
ACCOUNTING_TIME = 20
COMMENT_TIME = 45

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

    def command(self, name, *arguments, seconds=None):
        """Run a command of Slurm's; return its output. Raises MsrSafeError."""
        seconds = seconds or self.seconds
        code, output = self.try_command(name, *arguments, seconds=seconds)
        if code != 0:
            reason = 'no answer within %d s' % seconds if code == 124 else output.strip()
            raise MsrSafeError('%s failed (exit %d): %s' % (' '.join([name, *arguments]), code, reason))
        return output

    def try_command(self, name, *arguments, seconds=None):
        program = '%s/%s' % (self.directory, name) if self.directory else name
        bounded = ['timeout', '--kill-after=1', str(seconds or self.seconds), *without_habits(os.environ)]
        return self.machine.run([*bounded, program, *arguments])

    def states_of(self, records):
        """Return {job: HERE, ENDING or GONE} of jobs that have a record on this host.

        A job with a step is here; of others Slurm is asked, one by one. What it does not answer for in time is here, no
        matter how many: the lock is held meanwhile.
        """
        states, deadline = {record.job: HERE for record in records}, time.monotonic() + self.seconds
        for record in records:
            if not self.has_step(record):
                state = self.ask_state(record)
                states[record.job] = state or HERE
                if state is None or time.monotonic() > deadline:
                    break
        return states

    def has_step(self, record):
        """Return whether a step of a job listens on this host."""
        text, name = self.machine.read_text(SOCKETS) or '', '%s_%s.' % (record.node, record.job)
        return '/' + name in text and any(self.is_of_step(line, name) for line in text.splitlines())

    def is_of_step(self, line, name):
        """Return whether a line of the kernel's list is about a step's socket, which is root's and so named.

        Anybody can listen, and have any name listed: of an abstract socket, or of one in a mount namespace.
        """
        path = line[line.find('/') :]
        if not os.path.basename(path).startswith(name):
            return False
        try:
            status = os.lstat(self.machine.path(path))
        except OSError:
            return False
        return stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid()

    def ask_state(self, record):
        """Return what Slurm says about a job; None where it is silent."""
        state = self.ask(record.job, '%t', *(['--nodelist=' + record.node] if record.node else []))
        return None if state is None else GONE if state in GONE_STATES else ENDING if state == 'CG' else HERE

    def is_alone(self, job):
        """Return whether Slurm gave a job its nodes as a whole; False where it does not answer."""
        return self.ask(job.id, '%h') == 'NO'

    def ask(self, job, field, *options):
        """Return what squeue shows of a job in a field: '' where it does not list the job, None where it is silent.

        Fields that a user writes, such as its name, are not to be among what is shown: they can say anything. By the
        number of its last task a whole array is listed.
        """
        command = ('squeue', '--local', '--noheader', '--format=%A ' + field, '--jobs=' + job, *options)
        code, output = self.try_command(*command)
        if code != 0:
            return '' if 'Invalid job id' in output else None
        rows = [line.split() for line in output.splitlines()]
        return next((row[1] for row in rows if row[0:1] == [job] and len(row) == 2), '')

    def drain(self, reason):
        """Let no more jobs onto this node."""
        self.command('scontrol', 'update', 'nodename=' + self.node, 'state=drain', 'reason=' + shorten(reason))

    def comment(self, job, text):
        """Add a text to a job's AdminComment in the accounting, after what is there. Raises MsrSafeError.

        slurmctld takes none once a job's processes are over, which is before its epilog. Slurm replaces a comment, it
        does not add to it: of several nodes that do so at once, one after the other looks whether its text is there.
        """
        text = shorten(as_sacctmgr_keeps(text), COMMENT_LENGTH)
        deadline = time.monotonic() + COMMENT_TIME
        for pause in COMMENT_PAUSES:
            shown, nodes, said = self.accounted(job, deadline)
            if said != as_sacctmgr_keeps(said):
                raise MsrSafeError('it has a text that sacctmgr would spoil: ' + shorten(said))
            whole = '; '.join(filter(None, [said, text]))
            if text in said or len(whole) > COMMENT_LENGTH:
                return
            self.account(
                deadline,
                *('sacctmgr', '--immediate', 'modify', 'job', 'where', 'jobid=' + shown),
                *('set', 'admincomment=' + whole),
            )
            if nodes == '1':
                return
            # Neighbours' names differ in their last digit
            time.sleep(pause * (1 + sum(self.node.encode()) % 10 / 10))
        if text not in self.accounted(job, deadline)[2]:
            raise MsrSafeError('other nodes wrote over it.')

    def account(self, deadline, *command):
        """Run a command of the accounting's; return its output. Raises MsrSafeError, also where it is too late."""
        left = int(deadline - time.monotonic())
        if left < 1:
            raise MsrSafeError('the accounting took more than %d s in all.' % COMMENT_TIME)
        return self.command(*command, seconds=min(left, ACCOUNTING_TIME))

    def accounted(self, job, deadline):
        """Return how the accounting shows a job, its number of nodes (a text), and its AdminComment there.

        By its number sacctmgr would change all tasks of an array that has the same, and so with heterogeneous jobs;
        42_1 or 42+1 is one of them. Raises MsrSafeError.
        """
        import re  # Prologs, and epilogs that brought nothing back, need none

        options = ('--allocations', '--noheader', '--parsable2', '--format=JobIDRaw,JobID,NNodes,AdminComment')
        output = self.account(deadline, 'sacct', *options, '--jobs=' + job)
        rows = re.split(r'^([0-9]+)\|([^|\n]*)\|([0-9]*)\|', output, flags=re.MULTILINE)[1:]
        for number, shown, nodes, said in zip(rows[0::4], rows[1::4], rows[2::4], rows[3::4]):
            if number == job:
                return shown, nodes, said.rstrip('\n')
        raise MsrSafeError('the accounting does not know the job.')

    def cancel(self, job, why):
        """End a job, with the reason in what ``scontrol show job`` tells. Raises MsrSafeError where it cannot be ended.

        On its other nodes it may be over by now.
        """
        with contextlib.suppress(MsrSafeError):
            self.command('scontrol', 'update', 'jobid=' + job, 'admincomment=' + shorten(why))
        self.command('scancel', job)


def without_habits(environment):
    """Return the command before another that takes from it what whoever runs this has squeue leave out."""
    habits = sorted(name for name in environment if name.startswith('SQUEUE_'))
    return ['env', *['--unset=' + name for name in habits]] if habits else []


# squeue leaves a job out that is not on the node; these are of one that it has not forgotten yet.
GONE_STATES = ('', 'PD', 'CD', 'F', 'CA', 'TO', 'NF', 'OOM', 'BF', 'DL', 'PR', 'RQ', 'RH', 'SE')


def as_sacctmgr_keeps(text):
    """Return a text as one that sacctmgr takes as it is: of Slurm 22.05 it was seen to do the same, or worse."""
    return ' '.join(text.translate({ord('"'): '`', ord("'"): '`'}).lower().split())


def shorten(text, length=REASON_LENGTH):
    """Return a text as one line that is not longer than this."""
    line = ' '.join(text.split())
    return line if len(line) <= length else line[: length - 3] + '...'
