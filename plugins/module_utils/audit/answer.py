# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The answer of a node to an audit: whether it has the shape of one. Who is root there can have it say anything."""

from ..errors import MsrSafeError
from ..hardware.cpulist import parse_cpulist

# What msr_audit_info returns. A dictionary: what each key has; a list: what each in it is; a tuple: what it is unless
# it is null; a type: its type
ANSWER = {'observation': dict, 'equal': dict}
FACTS = {
    'cpu': {
        'vendor': str,
        'family': int,
        'model': int,
        'stepping': int,
        'microcode': str,
        'model_name': str,
        'online': str,
    },
    'packages': [str],
    'kernel': str,
    'bios': str,
    'product': str,
    'cpufreq': str,
    'governor': str,
    'stock_driver': bool,
    'module': ({'version': (str,), 'ours': bool},),
    'approved_list': ({'sha256': str, 'registers': int, 'writable': int, 'installed': (bool,)},),
    'policy': (str,),
}
REST = {'registers': dict, 'deferred': [{'what': str, 'why': str, 'since': str}]}


def check_answer(answer):
    """Raise MsrSafeError where an answer is none; what is equal on many nodes is checked when it is seen first."""
    require(answer, ANSWER, 'answer')
    require(answer['observation'], REST, 'observation')
    for reading in answer['observation']['registers'].values():
        require(reading, list, 'registers')


def check_facts(facts):
    """Raise MsrSafeError where facts of an observation are none."""
    require(facts, FACTS, 'facts')
    for cpus in [facts['cpu']['online'], *facts['packages']]:
        parse_cpulist(cpus)


def check_reading(reading):
    """Raise MsrSafeError where something is not (address, {value: cpulist}, {error: cpulist})."""
    try:
        address, values, errors = reading
        for number in [address, *values]:
            int(number, 16)
        for cpus in [*values.values(), *errors.values()]:
            parse_cpulist(cpus)
    except (AttributeError, TypeError, ValueError):
        raise malformed('registers') from None


def require(thing, shape, place):
    """Raise MsrSafeError where a thing does not have a shape (see ANSWER). place: its key."""
    if isinstance(shape, tuple):
        if thing is None:
            return
        (shape,) = shape
    if not isinstance(thing, shape if isinstance(shape, type) else type(shape)):
        raise malformed(place)
    if isinstance(shape, dict):
        for key, of_key in shape.items():
            if key not in thing:
                raise malformed(key)
            require(thing[key], of_key, key)
    if isinstance(shape, list):
        for each in thing:
            require(each, shape[0], place)


def malformed(place):
    return MsrSafeError('Its answer is not that of an audit, by its %s.' % place, 'See who is root on that node.')
