# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A statement of a policy: a control, or a field of a register, that is to hold a value on some CPUs."""

import collections
import re

from ..errors import MsrSafeError, for_all
from ..hardware.cpulist import parse_cpulist
from ..numbers import MAX_ADDRESS, MAX_MASK, parse_literal
from ..registers.register import near_words
from .control import CONTROLS, registers_meant
from .value import parse_value

Statement = collections.namedtuple('Statement', 'number control register field value mask cpus models')
Statement.__doc__ = """number: its place in the policy, from 1; control: name of CONTROLS, or None; register: name or
address as text, or None; field: or None; value: a Value; mask: the bits where there is no field; cpus: 'all' or
a cpulist; models: names of lists (al_0655) for whose CPUs it is, or () for all."""

OPTIONS = {'control', 'register', 'field', 'value', 'mask', 'cpus', 'cpu_models'}
# As hardware.cpu.list_name writes it
LIST_NAME = re.compile(r'al_[0-9a-f]{3,}\Z')
# What a control takes, by the kind of its value
TAKES = {'watts': 'watts, such as 205 W', 'hertz': 'hertz, such as 2.4 GHz', 'switch': 'on or off'}


def parse_policy(statements):
    """Return the Statements of a policy, a list of dictionaries without conditions.

    Raises MsrSafeError with all that is wrong.
    """
    if not isinstance(statements, list):
        raise MsrSafeError('A policy is a list of statements, not %r.' % (statements,), EXAMPLE)
    return for_all(list(enumerate(statements, 1)), lambda pair: parse_statement(*pair))


EXAMPLE = 'Write for example: - {control: package_power_limit, value: 205 W}'


def parse_statement(number, given):
    """Return a Statement. Raises MsrSafeError."""
    where = 'policy, statement %d:' % number
    if not isinstance(given, dict):
        raise MsrSafeError('%s %r is not a statement.' % (where, given), EXAMPLE)
    unknown = sorted(set(map(str, given)) - OPTIONS)
    if unknown:
        raise MsrSafeError(
            '%s there is no %s.' % (where, ', '.join(unknown)), 'There are %s.' % ', '.join(sorted(OPTIONS))
        )
    given = {key: value for key, value in given.items() if value is not None}
    if ('control' in given) == ('register' in given):
        raise MsrSafeError('%s it needs either a control or a register.' % where, EXAMPLE)
    if 'value' not in given:
        raise MsrSafeError('%s it has no value.' % where, EXAMPLE)
    value = parse_value(given['value'], '%s value' % where)
    cpus = str(given.get('cpus', 'all'))
    if cpus != 'all' and not parse_cpulist(cpus):
        raise MsrSafeError('%s no CPU is given.' % where, 'Write cpus: all, or a cpulist such as 0-3,8.')
    models = given.get('cpu_models') or ()
    models = tuple(map(str, models if isinstance(models, (list, tuple)) else [models]))
    no_names = [model for model in models if not LIST_NAME.match(model)]
    if no_names:
        raise MsrSafeError(
            '%s cpu_models: %r is not the name of a list, and so that of no CPU.' % (where, no_names[0]),
            'Write for example: cpu_models: [al_0655, al_066a]',
        )
    if 'control' in given:
        return about_control(number, given, value, cpus, models, where)
    return about_register(number, given, value, cpus, models, where)


def about_control(number, given, value, cpus, models, where):
    """Return the Statement about a control, its value checked as far as any CPU goes. Raises MsrSafeError."""
    name = str(given['control'])
    if name not in CONTROLS:
        near = near_words(name, CONTROLS)
        raise MsrSafeError(
            '%s there is no control %s.' % (where, name),
            'Did you mean %s?' % ' or '.join(near) if near else 'Controls are %s.' % ', '.join(CONTROLS),
        )
    extra = sorted({'field', 'mask'} & set(given))
    if extra:
        raise MsrSafeError('%s a control has no %s.' % (where, ', '.join(extra)), 'Leave it out, or name a register.')
    control = CONTROLS[name]
    takes_percent = any(way.whole for way in control.ways)
    if control.kind == 'word':
        words = sorted({word for way in control.ways for word in way.words})
        if value.text not in words:
            raise MsrSafeError('%s %s is not %s.' % (where, name, value.text), 'It is one of %s.' % ', '.join(words))
    elif value.kind != control.kind and not (value.kind == 'percent' and takes_percent):
        raise MsrSafeError(
            '%s %s cannot be %s.' % (where, name, value.text),
            'It takes %s%s.' % (TAKES[control.kind], ', or a percentage' if takes_percent else ''),
        )
    return Statement(number, name, None, None, value, None, cpus, models)


def about_register(number, given, value, cpus, models, where):
    """Return the Statement about a register. Raises MsrSafeError."""
    register, field = str(given['register']), given.get('field')
    if register[:1].isdigit():
        parse_literal(register, MAX_ADDRESS, '%s register' % where)
    if field is not None and 'mask' in given:
        raise MsrSafeError('%s field and mask are both given.' % where, 'Give one of them.')
    if value.kind in ('percent', 'word'):
        raise MsrSafeError(
            '%s %s is nothing that a register holds.' % (where, value.text), 'Give a number or an amount.'
        )
    mask = MAX_MASK
    if field is None:
        if value.kind != 'number':
            raise MsrSafeError(
                '%s %s of which field?' % (where, value.text), 'Give field, or the number of the register.'
            )
        if 'mask' in given:
            mask = parse_literal(str(given['mask']), MAX_MASK, '%s mask' % where)
        bits = parse_literal(value.text, MAX_MASK, '%s value' % where)
        if bits & ~mask:
            raise MsrSafeError(
                '%s %s has bits outside the mask 0x%x.' % (where, value.text, mask),
                'Write the value in its place in the register, not shifted down.',
            )
    return Statement(number, None, register, None if field is None else str(field), value, mask, cpus, models)


def registers_named(statements):
    """Return the names and addresses of all registers that Statements may be about."""
    controls = {statement.control for statement in statements if statement.control}
    named = {statement.register for statement in statements if statement.register}
    return sorted(named | set(registers_meant(controls)))


def describe_statement(statement):
    """Return a statement in words: ``turbo off``, ``MISC_ENABLE TURBO_MODE_DISABLE 1 on CPU 3``."""
    subject = statement.control or ' '.join(filter(None, (statement.register, statement.field)))
    return '%s %s%s' % (
        subject,
        statement.value.text,
        '' if statement.cpus == 'all' else ' on CPU ' + statement.cpus,
    )
