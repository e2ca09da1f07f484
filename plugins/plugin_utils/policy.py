# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A policy on the controller: which of its statements are for a host, and whether they can mean anything."""

from __future__ import annotations

from ansible.errors import AnsibleError
from ansible.playbook.conditional import Conditional

from ..module_utils.errors import MsrSafeError
from ..module_utils.policy.statement import parse_policy, registers_named
from ..module_utils.registers.register import parse_group, short_name
from ..module_utils.registers.table import GROUPS
from .failure import ActionFailure
from .register_definitions import definitions_of


def statements_for(action, policy, task_vars):
    """Return the statements of a policy that are for the host of a task, checked, without their conditions.

    Raises ActionFailure, also for what is wrong with statements that are for other hosts.
    """
    if not isinstance(policy, list) or not all(isinstance(each, dict) for each in policy):
        raise ActionFailure('A policy is a list of statements: - {control: package_power_limit, value: 205 W}')
    plain = [{key: value for key, value in each.items() if key != 'when'} for each in policy]
    try:
        parsed = parse_policy(plain)
        require_known_names(parsed)
    except MsrSafeError as error:
        raise ActionFailure(str(error)) from None
    return [
        statement
        for number, (statement, each) in enumerate(zip(plain, policy), 1)
        if holds(action, each.get('when'), task_vars, f'policy, statement {number}: when')
    ]


def wanted_policy(action, policy, task_vars):
    """Return a policy as it travels to the host of a task, with definitions; None where it says nothing of it."""
    statements = statements_for(action, policy, task_vars)
    if not statements:
        return None
    return {'statements': statements, 'definitions': definitions_for(statements)}


def definitions_for(statements):
    """Return definitions of all registers that decide what statements, as plain data, mean."""
    return definitions_of(registers_named(parse_policy(statements))) if statements else []


def require_known_names(statements):
    """Raise MsrSafeError for the name of a register that no CPU of our table has."""
    known = {short_name(register.name) for text in GROUPS.values() for register in parse_group(text)}
    for statement in statements:
        if statement.register and not statement.register[0].isdigit() and short_name(statement.register) not in known:
            raise MsrSafeError(
                f'policy, statement {statement.number}: no CPU has a register {statement.register}.',
                'Look for its name with: ansible-doc hpc.msr_safe.msr_info, or give its address.',
            )


def holds(action, condition, task_vars, where):
    """Return whether a condition holds: None, a dictionary {variable: its values}, or what tasks have as `when`."""
    if condition is None:
        return True
    conditions = condition if isinstance(condition, list) else [condition]
    try:
        if isinstance(condition, dict):
            return all(is_one_of(action, name, values, task_vars) for name, values in condition.items())
        return all(evaluate(action, each, task_vars) for each in conditions)
    except AnsibleError as error:
        raise ActionFailure(f'{where}: {error}') from None


def is_one_of(action, name, values, task_vars):
    """Return whether a host's variable has one of some values; a variable that it does not have has none."""
    if name not in task_vars:
        return False
    value = action._templar.template(task_vars[name])
    return str(value) in [str(each) for each in (values if isinstance(values, list) else [values])]


def evaluate(action, condition, task_vars):
    if isinstance(condition, bool):
        return condition
    if hasattr(action._templar, 'evaluate_conditional'):
        return action._templar.evaluate_conditional(condition)
    conditional = Conditional(loader=action._loader)  # ansible-core before 2.19
    conditional.when = [condition]
    return conditional.evaluate_conditional(action._templar, task_vars)
