# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A drain: a node that Slurm gives no more jobs, for a while and for a reason that says whose it is."""

import collections
import contextlib
import re
import time

from ..errors import MsrSafeError
from .slurm import Slurm

# Before every reason of ours. What is drained for another reason is another's.
MARK = 'hpc.msr_safe: '

# Seconds for a command of Slurm's: whoever waits for jobs can wait for a busy slurmctld, too
COMMAND_TIME = 30

State = collections.namedtuple('State', 'words reason')
State.__doc__ = """What Slurm says about a node.

words: of its state, such as {'MIXED', 'DRAIN'}; reason: why, with who and when behind it, or ''.
"""

# Of scontrol's words for a node: no job of Slurm's is on one that is in one of these
WITHOUT_JOBS = {'IDLE', 'DOWN', 'FUTURE', 'UNKNOWN'}
# A job's epilog runs, or the node is to be given to a job
BUSY_ALL_THE_SAME = {'COMPLETING'}
# Slurm gives such a node no job; to resume it would put it in service
OUT_OF_SERVICE = {'DOWN', 'FUTURE', 'UNKNOWN', 'FAIL', 'FAILING'}


class SlurmAway(MsrSafeError):
    """Slurm does not answer now, and may later."""


class Drain:
    """A node that is drained, waited for, and resumed, by commands of Slurm's on this host."""

    def __init__(self, machine, node, directory='', pause=time.sleep, clock=time.time):
        self.slurm = Slurm(machine, node, directory, COMMAND_TIME)
        self.node, self.pause, self.clock = node, pause, clock

    def state(self):
        """Return the State of the node. Raises MsrSafeError, SlurmAway."""
        code, output = self.slurm.try_command('scontrol', '--oneliner', 'show', 'node', self.node)
        if code == 127:
            raise MsrSafeError(
                'There is no command scontrol on this host to drain %s with: %s' % (self.node, output.strip()),
                'Name a host that has it in msr_safe_drain_host, or its directory in msr_safe_drain_bindir.',
            )
        found = re.search(r'\bState=(\S+)', output)
        if found:
            return State(words_of(found.group(1)), output.partition(' Reason=')[2].strip())
        if 'not found' in output or 'Invalid node name' in output:
            raise MsrSafeError(
                'Slurm knows no node %s.' % self.node,
                'Give its NodeName in msr_safe_drain_node, or set msr_safe_drain: false for it.',
            )
        raise SlurmAway('Slurm does not answer (exit %d): %s' % (code, ' '.join(output.split())))

    def jobs(self):
        """Return the numbers of the jobs on the node, as texts, as far as Slurm tells."""
        code, output = self.slurm.try_command('squeue', '--noheader', '--format=%A', '--nodelist=' + self.node)
        return sorted(set(output.split()), key=lambda job: (len(job), job)) if code == 0 else []

    def begin(self, why):
        """Drain the node. Raises MsrSafeError, SlurmAway."""
        try:
            self.slurm.drain(MARK + why)
        except MsrSafeError as error:
            if is_refusal(error.problem):
                raise MsrSafeError(
                    'Slurm does not let this user drain %s. %s' % (self.node, error.problem),
                    'Be root or SlurmUser there: msr_safe_drain_become, msr_safe_drain_host.',
                ) from None
            raise SlurmAway(error.problem) from None

    def wait(self, until, interval):
        """Wait until no job is on the node, or for the time ``until``, in seconds of the clock.

        Returns None, or why the node cannot be had now, in words. What cannot be had is resumed, if the drain is ours.
        """
        while True:
            why = self.why_not_idle()
            if why is None:
                return None
            if self.clock() >= until:
                self.end_in_doubt()
                return 'not drained in time: ' + why
            self.pause(min(interval, max(0, until - self.clock())))

    def why_not_idle(self):
        """Return why the node is not to be had now, in words, or None where no job is on it and none can come."""
        try:
            state = self.state()
        except SlurmAway as error:
            return error.problem
        if is_idle(state):
            return None
        if gets_jobs(state):
            return 'somebody else resumed it in Slurm'
        return words_for_jobs(self.jobs())

    def end(self):
        """Resume the node if the drain is ours. Returns whether it was. Raises MsrSafeError, SlurmAway."""
        state = self.state()
        if not is_drained_by_us(state):
            return False
        # Resumed, a node that went down meanwhile would be in service
        word = 'undrain' if is_out_of_service(state) else 'resume'
        self.slurm.command('scontrol', 'update', 'nodename=' + self.node, 'state=' + word)
        return True

    def end_in_doubt(self):
        """Resume the node if that can be done; a drain that stays is ended by the next run, which knows it."""
        with contextlib.suppress(MsrSafeError):
            self.end()


def words_of(text):
    """Return the words of a state: ``MIXED*+DRAIN`` is {'MIXED', 'DRAIN'}."""
    return frozenset(re.sub('[^A-Z_]', '', word) for word in text.upper().split('+'))


def is_drained(state):
    """Return whether a node gets no more jobs: it is drained, or will be when its jobs have ended."""
    return any(word.startswith('DRAIN') for word in state.words)


def is_drained_by_us(state):
    return is_drained(state) and state.reason.startswith(MARK)


def is_out_of_service(state):
    return bool(state.words & OUT_OF_SERVICE)


def gets_jobs(state):
    """Return whether Slurm may give a node a job."""
    return not (is_drained(state) or is_out_of_service(state))


def is_idle(state):
    """Return whether a node has no job and gets none."""
    is_without = bool(state.words & WITHOUT_JOBS) and not state.words & BUSY_ALL_THE_SAME
    # sinfo's words, which some sites' wrappers of scontrol print
    return (is_without and not gets_jobs(state)) or 'DRAINED' in state.words


def is_refusal(message):
    """Return whether Slurm's error says that the user may not do this, rather than that it cannot be done now."""
    return any(words in message for words in ('denied', 'Invalid user id'))


def words_for_jobs(jobs):
    """Return why a node is not idle, in words. jobs: what squeue lists; none may be one whose epilog runs."""
    if len(jobs) == 1:
        return 'job %s is on the node' % jobs[0]
    return '%d jobs are on the node' % len(jobs) if jobs else 'a job of it is ending'
