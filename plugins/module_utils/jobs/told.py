# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What the caller says about the jobs of a node: for every resource manager that has no file of its own here."""

from .job import GONE, HERE


class Told:
    """Knows who is on the node from its caller: the jobs that are, None where it does not say; then all are."""

    def __init__(self, here=None):
        self.here = here

    def states_of(self, records):
        """Return {job: HERE or GONE} of jobs that have a record."""
        return {record.job: HERE if self.here is None or record.job in self.here else GONE for record in records}

    def has_step(self, _record):
        """A job that is begun twice without an end between was started again: nothing of it is here any more."""
        return False

    def is_alone(self, _job):
        """What is not said with the job itself is not so."""
        return False

    def drain(self, _reason):
        """The caller does that, who sees the exit status."""

    def comment(self, _job, _text):
        """The caller does that, who sees what is printed."""
