# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Making a node hold a policy: observe, plan, write.

What an operator writes need not be on the list of what users may write, and is
never put there.
"""

import contextlib

from ..access import operator
from ..access.lock import locked
from ..access.reading import by_cpu, describe_error
from ..access.write import Write, carried_out, foresee_problems, render_problems, summarize_problems
from ..errors import MsrSafeError
from ..hardware.cpu import online_cpus, read_cpu
from ..hardware.frequency import frequency_driver
from ..settings.definitions import known_registers
from ..settings.interpretation import contexts_of
from ..settings.setting import Plan, name_owner, render_changes, summarize_changes
from .expectation import Node, expect
from .statement import parse_policy, registers_named


def apply_policy(machine, statements, registers, check=False):
    """Make a node hold a policy; return (Plan with the writes done and the problems met, notes, texts).

    registers: Registers of this node. check: write nothing, and foresee the problems. Raises MsrSafeError,
    with all that is wrong, where a statement cannot be had: nothing is written then.
    """
    with locked(machine, 'msr-policy'):
        plan, notes = plan_policy(machine, statements, registers)
        if check:
            problems = foresee_problems(machine, plan.writes)
        elif plan.writes:
            problems = operator.explain(machine, operator.write(machine, plan.writes))
            problems = name_owner(machine, plan, problems)
        else:
            return plan, notes
    return plan._replace(writes=carried_out(plan.writes, problems), problems=problems), notes


def observe_policy(machine, policy):
    """Return what a policy would do to a node, as plain data. Changes nothing.

    policy: ``{'statements', 'definitions' of the registers}``. Shape:
    ``{'before', 'after': texts of the registers that differ, 'notes': [text],
    'problem': why it cannot be had or is not known, or None}``.
    """
    try:
        statements = parse_policy(policy['statements'])
        registers = known_registers(machine, policy['definitions'], read_cpu(machine))
        plan, notes = apply_policy(machine, statements, registers, check=True)
        require_taken(plan)
    except MsrSafeError as error:
        return {'before': '', 'after': '', 'notes': [], 'problem': str(error)}
    rows = summarize_changes(plan)
    return {
        'before': render_changes(rows, 'before'),
        'after': render_changes(rows, 'after'),
        'notes': notes,
        'problem': None,
    }


def make_policy_hold(machine, statements, definitions):
    """Apply a policy, as plain data; return its notes. Raises MsrSafeError, also where a register did not take it."""
    registers = known_registers(machine, definitions, read_cpu(machine))
    plan, notes = apply_policy(machine, parse_policy(statements), registers)
    require_taken(plan)
    return notes


def require_taken(plan):
    """Raise MsrSafeError where a register did not take what it was to hold."""
    if plan.problems:
        raise MsrSafeError('Not as the policy says:\n' + render_problems(summarize_problems(plan.problems)))


def expect_here(machine, statements, registers):
    """Return (the Expectation of Statements on this machine, {address: Reading} that it was made of)."""
    cpus, addresses = online_cpus(machine), addresses_of(statements, registers)
    readings = operator.read_registers(machine, addresses, cpus)
    node = Node(read_cpu(machine), frequency_driver(machine), registers, values_of(readings), cpus)
    return expect(statements, node), readings


def plan_policy(machine, statements, registers):
    """Return (Plan, notes). Raises MsrSafeError."""
    expected, readings = expect_here(machine, statements, registers)
    cpus, values = online_cpus(machine), values_of(readings)
    if expected.problems:
        raise MsrSafeError('\n'.join(expected.problems), 'Nothing was changed.')
    writes = [
        Write(
            address, registers.at(address).name, mask, cpu, values[address][cpu], (values[address][cpu] & ~mask) | bits
        )
        for address, of_cpu in sorted(expected.bits.items())
        for cpu, (bits, mask) in sorted(of_cpu.items())
        if (values[address][cpu] ^ bits) & mask
    ]
    about = {address: registers.at(address) for address in expected.bits}
    needed = [address for address in registers.needed_to_decode(about.values()) if address in readings]
    return Plan(writes, [], about, contexts_of(readings, needed, cpus)), expected.notes


def addresses_of(statements, registers):
    """Return the addresses of all registers that decide what statements mean, ascending."""
    found = []
    for name in registers_named(statements):
        with contextlib.suppress(MsrSafeError):  # Whoever resolves the statement says what it lacks
            found.append(registers.find(name))
    return sorted({register.address for register in found} | set(registers.needed_to_decode(found)))


def values_of(readings):
    """Return {address: {CPU: value, or why it could not be read}} of {address: Reading}."""
    values = {}
    for address, reading in readings.items():
        values[address] = dict(by_cpu(reading.values))
        values[address].update((cpu, describe_error(error)) for cpu, error in by_cpu(reading.errors).items())
    return values
