# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The values that a job asked for, set by root before it starts. The epilog takes them back with all the rest."""

from ..access import operator
from ..access.write import carried_out
from ..errors import MsrSafeError
from ..hardware.cpu import read_cpu
from ..registers.of_cpu import registers_of
from ..settings.setting import plan_settings
from .bare_list import bare, unite
from .controls import entries_of, settings_of
from .list_in_force import close_to_users, open_to_root
from .restoration import describe_problems, describe_writes


def set_values(machine, values, bounds):
    """Set controls to values ({control: amount or switch}); return (what was written, a line each; its bare list).

    Leaves registers closed to users. Raises MsrSafeError where a register did not take its value; others have then.
    """
    registers = registers_of(read_cpu(machine))
    settings = settings_of(values, bounds, registers)
    entries = entries_of(values, registers)
    units = registers.needed_to_decode([registers.at(entry.address) for entry in entries])
    told = ''.join('0x%08X 0x%016X\n' % (address, 0) for address in units)
    close_to_users(machine, unite([bare(entries), told] if told else [bare(entries)]))
    allowed = {entry.address: entry.mask for entry in entries}
    plan = plan_settings(machine, settings, registers, allowed, operator.read_registers)
    open_to_root(machine, bare(entries))
    problems = plan.problems + operator.write(machine, plan.writes)
    close_to_users(machine, bare(entries))
    if problems:
        raise MsrSafeError('what this job asks for could not be set: ' + describe_problems(problems))
    return describe_writes(carried_out(plan.writes, problems)), bare(entries)
