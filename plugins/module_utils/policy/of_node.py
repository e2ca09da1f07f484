# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The policy of this node as bits of its registers, by which the boot and the end of jobs go."""

from ..errors import MsrSafeError
from ..hardware.cpu import read_cpu
from ..registers.of_cpu import registers_of
from .application import expect_here
from .policy_file import read_policy


def bits_of_policy(machine):
    """Return ({address: {CPU: (bits, mask)}} that the policy of this node gives, [why it cannot say some of it]).

    Never fails: a policy that cannot be had stops no job, and the registers it is about are as without it.
    """
    try:
        statements = read_policy(machine)
        if not statements:
            return {}, []
        expected, _readings = expect_here(machine, statements, registers_of(read_cpu(machine)))
    except MsrSafeError as error:
        return {}, [' '.join(str(error).split())]
    return expected.bits, expected.problems
