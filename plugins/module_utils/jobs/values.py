# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The values that a job asked for, set by root before it starts. The epilog takes them back with all the rest."""

from ..access.write import carried_out, carry_out_writes
from ..errors import MsrSafeError
from ..hardware.cpu import read_cpu
from ..registers.of_cpu import registers_of
from ..settings.setting import plan_settings
from .bare_list import bare, reading, unite
from .controls import entries_of, settings_of
from .list_in_force import put_in_force
from .restoration import describe_problems, describe_writes


def set_values(machine, values, bounds):
    """Set controls to values ({control: amount or switch}); return (what was written, a line each; its bare list).

    Leaves a list in force of its own. Raises MsrSafeError where a register did not take its value; others have then.
    """
    registers = registers_of(read_cpu(machine))
    settings = settings_of(values, bounds, registers)
    entries = entries_of(values, registers)
    units = registers.needed_to_decode([registers.at(entry.address) for entry in entries])
    told = ''.join('0x%08X 0x%016X\n' % (address, 0) for address in units)
    put_in_force(machine, unite([bare(entries), told] if told else [bare(entries)]))
    plan = plan_settings(machine, settings, registers)
    problems = plan.problems + carry_out_writes(machine, plan.writes)
    put_in_force(machine, reading(bare(entries)))
    if problems:
        raise MsrSafeError('what this job asks for could not be set: ' + describe_problems(problems))
    return describe_writes(carried_out(plan.writes, problems)), bare(entries)
