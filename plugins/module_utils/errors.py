# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The error a user can act on."""

import collections


class MsrSafeError(Exception):
    """What went wrong and where, and what to do about it.

    ``problem`` is a sentence that names the file, line, register or CPU;
    ``remedy`` is a sentence that says what to do, or None.
    """

    def __init__(self, problem, remedy=None):
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self):
        if self.remedy is None:
            return self.problem
        return '%s\n%s' % (self.problem, self.remedy)


def for_all(things, function):
    """Return what a function returns for each thing. Raises one MsrSafeError with all that it refuses, each once."""
    results, refusals = [], collections.OrderedDict()
    for thing in things:
        try:
            results.append(function(thing))
        except MsrSafeError as error:
            refusals[str(error)] = error
    if refusals:
        raise MsrSafeError('\n'.join(refusals))
    return results
