# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The types of options: what YAML and Jinja made of a value, against what is wanted, before Ansible converts it.

Ansible makes a text of whatever stands where one is wanted, and 1 of true: a group would be named ['msr'], and a device
have the major number 1. What it cannot convert may end in a TypeError of its own.
"""

from __future__ import annotations

from ansible.module_utils.parsing.convert_bool import BOOLEANS

from ..module_utils.errors import MsrSafeError, for_all
from .failure import ActionFailure

# What may stand where a type is wanted; the rest is Ansible's to convert, or to refuse in words.
TAKEN = {
    'str': (str, int),
    'path': (str, int),
    'amount': (str, int, float, bool),
    'int': (str, int, float),
    'float': (str, int, float),
    'list': (str, int, float, list, tuple),
    'dict': (str, dict),
}
CALLED = {
    'str': 'a text',
    'path': 'a path',
    'amount': 'one value',
    'int': 'a number',
    'float': 'a number',
    'list': 'a list',
    'dict': 'names with values',
    'bool': 'true or false',
}
REMEDY = {
    'str': 'Write one value, in quotes where YAML reads something else: yes is true, and 6.10 is 6.1.',
    'path': 'Write one path.',
    'amount': 'Write one.',
    'int': 'Write one, without a point.',
    'float': 'Write one.',
    'list': 'Write [a, b], or a line with - for each.',
    'dict': 'Write {name: value}, or a line for each.',
    'bool': 'Write one of them.',
}


def require_types(options, spec, variable=str):
    """Raise MsrSafeError with every option whose value cannot be what is wanted; None is no value.

    spec: an argument spec, of which type, elements, options and choices count; variable: function from an option's name
    to what its users call it.
    """
    for_all(
        [(variable(name), options[name], spec[name]) for name in sorted(set(options) & set(spec))],
        lambda each: require_type(*each),
    )


def require_types_of_task(action, spec):
    """Require the types of a task's options. Raises ActionFailure."""
    try:
        require_types(action._task.args, spec)
    except MsrSafeError as error:
        raise ActionFailure(str(error)) from None


def require_type(where, value, wanted):
    """Raise MsrSafeError where a value, or what is in it, cannot be what is wanted. where: what users call it."""
    kind = wanted.get('type', 'str')
    if value is None or kind == 'raw':
        return
    if not fits(value, kind, wanted):
        raise MsrSafeError('%s is %s, and has to be %s.' % (where, described(value), CALLED[kind]), REMEDY[kind])
    if isinstance(value, dict):
        require_types(value, wanted.get('options', {}), lambda name: '%s: %s' % (where, name))
    elif isinstance(value, (list, tuple)):
        of_each = dict(wanted, type=wanted.get('elements', 'raw'))
        for_all(
            list(enumerate(value, 1)),
            lambda pair: require_element('%s, item %d' % (where, pair[0]), pair[1], of_each),
        )


def require_element(where, value, wanted):
    if value is None and wanted['type'] != 'raw':
        raise MsrSafeError('%s has no value.' % where, 'Does it come from a variable that is empty? Leave it out.')
    require_type(where, value, wanted)


def fits(value, kind, wanted):
    if kind == 'bool':
        return isinstance(value, (str, int, float)) and (value.lower() if isinstance(value, str) else value) in BOOLEANS
    if isinstance(value, bool) and 'choices' in wanted:
        return True  # Ansible knows which of them YAML read so: on, off
    if isinstance(value, bool) and kind != 'amount':
        return False
    return isinstance(value, TAKEN[kind])


def described(value):
    """Return a value in words, with what YAML made of it."""
    if isinstance(value, bool):
        return str(value).lower()
    kind = 'a list' if isinstance(value, (list, tuple)) else 'a dictionary' if isinstance(value, dict) else None
    text = repr(value) if isinstance(value, str) else str(value)
    return '%s (%s)' % (kind, text) if kind else text
