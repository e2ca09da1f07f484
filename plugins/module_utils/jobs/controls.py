# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The controls that a job may ask values for, which root sets for it: ``power_limit=180W,turbo=off``.

A control is one of CONTROLS, which mean the same on every CPU that has them, or a field of the register table:
``PKG_POWER_LIMIT.PL1_POWER_LIMIT``. A site gives bounds by profile: ``power_limit:100W-200W, turbo``.
"""

import collections
import re

from ..approved_lists.approved_list import Entry
from ..errors import MsrSafeError
from ..registers.register import field_mask, find_field, short_name
from ..registers.units import WORDS

Bounds = collections.namedtuple('Bounds', 'least greatest quantity')
Bounds.__doc__ = """The least and the greatest amount, in watts, hertz … ('': a bare number). A switch has none."""

Control = collections.namedtuple('Control', 'quantity fields')
Control.__doc__ = """A quantity, None for a switch, and the (register, field, what it gets) that one CPU or another has.

What a field gets is VALUE, ON, or NOT: the opposite of the switch.
"""
VALUE, ON, NOT = 'value', 'on', 'not'

CONTROLS = {
    # The long-term limit of each package
    'power_limit': Control(
        'watts', [('PKG_POWER_LIMIT', 'PL1_POWER_LIMIT', VALUE), ('PKG_POWER_LIMIT', 'PL1_LIMIT_ENABLE', ON)]
    ),
    'turbo': Control(None, [('IA32_MISC_ENABLE', 'TURBO_MODE_DISABLE', NOT), ('HWCR', 'CPB_DISABLE', NOT)]),
    'prefetchers': Control(
        None,
        [
            (register, field + '_DISABLE', NOT)
            for register, fields in (
                (
                    'MISC_FEATURE_CONTROL',
                    ('L2_HW_PREFETCHER', 'L2_ADJACENT_PREFETCHER', 'DCU_HW_PREFETCHER', 'DCU_IP_PREFETCHER'),
                ),
                (
                    'MSR_PREFETCH_CONTROL',
                    ('L2_HW_PREFETCHER', 'L2_ADJACENT_PREFETCHER', 'DCU_HW_PREFETCHER', 'DCU_IP_PREFETCHER'),
                ),
                ('PREFETCH_CONTROL', ('L1_STREAM', 'L1_STRIDE', 'L1_REGION', 'L2_STREAM', 'UP_DOWN')),
            )
            for field in fields
        ],
    ),
    # How fast the uncore may run at most
    'uncore_frequency': Control('hertz', [('UNCORE_RATIO_LIMIT', 'MAX_RATIO', VALUE)]),
}

SWITCH = {'on': True, 'off': False}
AMOUNT = re.compile(r'([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)\Z')
NAME = re.compile(r'[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?\Z')
UNITS = {
    'W': 'watts',
    'mW': 'milliwatts',
    'GHz': 'gigahertz',
    'MHz': 'megahertz',
    's': 'seconds',
    'ms': 'milliseconds',
    'C': 'celsius',
}
EXAMPLE = 'Write for example: power_limit=180W,turbo=off'


def parse_bounds(texts, where):
    """Return {control: Bounds or None for any value} of texts like ``power_limit:100W-200W``. Raises MsrSafeError."""
    bounds = {}
    for text in texts:
        name, colon, span = text.partition(':')
        least, dash, greatest = span.partition('-')
        control = CONTROLS.get(name)
        if not NAME.match(name) or (control is None and '.' not in name):
            raise MsrSafeError(
                '%s: there is no control %r.' % (where, name), 'There are: %s, and REGISTER.FIELD.' % known()
            )
        if control and control.quantity is None:
            if colon:
                raise MsrSafeError('%s: %s is a switch, and has no bounds.' % (where, name), 'Write: %s' % name)
            bounds[name] = None
            continue
        if not dash:
            raise MsrSafeError('%s: %s has no bounds.' % (where, name), 'Write for example: power_limit:100W-200W')
        (low, quantity), (high, other) = (parse_amount(each, '%s: %s' % (where, name)) for each in (least, greatest))
        if quantity != other or low > high or (control and quantity != control.quantity):
            raise MsrSafeError('%s: %s are no bounds of %s.' % (where, span, name), 'Write: power_limit:100W-200W')
        bounds[name] = Bounds(low, high, quantity)
    return bounds


def known():
    return ', '.join(sorted(CONTROLS))


def parse_amount(text, where):
    """Return (amount, quantity) of a text like ``180W``; quantity is '' for a bare number. Raises MsrSafeError."""
    match = AMOUNT.match(text)
    if not match or (match.group(2) and match.group(2) not in UNITS):
        raise MsrSafeError('%s: %r is no amount.' % (where, text), 'Units are %s.' % ', '.join(sorted(UNITS)))
    if not match.group(2):
        return float(match.group(1)), ''
    quantity, much = WORDS[UNITS[match.group(2)]]
    return float(match.group(1)) * much, quantity


def parse_values(text, bounds):
    """Return {control: amount, or True or False for a switch} that a job asks for. Raises MsrSafeError.

    bounds: what its profile lets be asked for.
    """
    values = {}
    for part in text.split(','):
        name, equals, value = part.partition('=')
        if not equals or not NAME.match(name) or name in values:
            raise MsrSafeError('--msr-set: %r means nothing.' % part, EXAMPLE)
        if name not in bounds:
            raise MsrSafeError(
                'this job may not set %s.' % name, 'It may set: %s.' % (', '.join(sorted(bounds)) or 'nothing')
            )
        if bounds[name] is None:
            if value not in SWITCH:
                raise MsrSafeError('--msr-set: %s is %r.' % (name, value), 'Write on or off.')
            values[name] = SWITCH[value]
            continue
        amount, quantity = parse_amount(value, '--msr-set: ' + name)
        least, greatest, wanted = bounds[name]
        if quantity != wanted or not least <= amount <= greatest:
            raise MsrSafeError(
                '--msr-set: %s=%s is not within the bounds of this site.' % (name, value),
                'They are %.10g to %.10g %s.' % (least, greatest, wanted),
            )
        values[name] = amount
    return values


def fields_of(name, registers):
    """Return [(Register, Field, what it gets)] of a control on a CPU with these Registers; [] where it has none."""
    if name not in CONTROLS:
        register, _dot, field = name.partition('.')
        found = registers.named(register)
        return [(each, find_field(each, field), VALUE) for each in found[:1]]
    return [
        (register, find_field(register, field), gets)
        for wanted, field, gets in CONTROLS[name].fields
        for register in registers.named(wanted)
        if short_name(register.name) == short_name(wanted) and any(each.name == field for each in register.fields)
    ]


def entries_of(names, registers):
    """Return the entries of a list that lets controls be set on a CPU with these Registers."""
    masks = collections.OrderedDict()
    for name in names:
        for register, field, _gets in fields_of(name, registers):
            masks[register] = masks.get(register, 0) | field_mask(field)
    return [Entry(each.address, mask, each.name, 'configuration', None) for each, mask in masks.items()]


def settings_of(values, bounds, registers):
    """Return the settings (as of settings/setting.py) that give controls their values. Raises MsrSafeError."""
    settings = []
    for name, value in values.items():
        fields = fields_of(name, registers)
        if not fields:
            raise MsrSafeError("this node's CPU has no %s to set." % name, 'Ask for another one, or for other nodes.')
        for register, field, gets in fields:
            is_amount = gets == VALUE and not isinstance(value, bool)
            number = value if gets == VALUE else True if gets == ON else not value
            settings.append(
                {
                    'register': register.name,
                    'field': field.name,
                    'value': '%.10g' % number if is_amount else str(int(number)),
                    'unit': (bounds[name].quantity if is_amount else '') or ('raw' if field.unit else None),
                    'mask': None,
                    'cpus': 'all',
                }
            )
    return settings
