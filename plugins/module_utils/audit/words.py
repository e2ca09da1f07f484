# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Words for amounts, bits and CPUs, as people say them: ``205 W``, ``package 1``."""

from ..hardware.cpulist import format_cpulist
from ..registers.register import decode_field, describe_bits, field_mask

SYMBOLS = {'watts': 'W', 'joules': 'J', 'seconds': 's', 'hertz': 'Hz', 'celsius': '\N{DEGREE SIGN}C'}
LARGER = (('G', 1e9), ('M', 1e6), ('k', 1e3))
SMALLER = (('', 1), ('m', 1e-3), ('\N{MICRO SIGN}', 1e-6))


def spell_amount(amount, unit):
    """Return an amount with its unit: ``205 W``, ``2.4 GHz``; a bare number where there is no unit."""
    if unit is None:
        return '%d' % amount
    prefix, size = '', 1
    if unit == 'hertz':
        prefix, size = next(((name, size) for name, size in LARGER if amount >= size), ('', 1))
    elif amount and unit != 'celsius':
        prefix, size = next(((name, size) for name, size in SMALLER if amount >= size), SMALLER[-1])
    return '%.4g %s%s' % (amount / size, prefix, SYMBOLS[unit])


def spell_field(field):
    """Return what a field holds (a FieldValue): its amount, or its number where that is not known."""
    return spell_amount(field.number, None) if field.amount is None else spell_amount(field.amount, field.unit)


def changed_numbers(register, should, holds):
    """Return {field: (number that it should hold, number that it holds)} of those that differ; bits of none are ''."""
    numbers, rest = {}, should ^ holds
    for field in register.fields:
        pair = tuple((value & field_mask(field)) >> field.low for value in (should, holds))
        if pair[0] != pair[1]:
            numbers[field.name] = pair
        rest &= ~field_mask(field)
    if rest:
        numbers[''] = (0, 0)
    return numbers


def changed_bits(register, should, holds, context):
    """Return what differs between two values of a register: ``[(name, what it should be, what it is)]``."""
    changed, rest = [], should ^ holds
    for field in register.fields:
        pair = [decode_field(field, value, context) for value in (should, holds)]
        if pair[0].number != pair[1].number:
            changed.append((field.name, spell_field(pair[0]), spell_field(pair[1])))
        rest &= ~field_mask(field)
    bare = register._replace(fields=())
    for bits in describe_bits(bare, rest):
        high, _colon, low = bits.partition(':')
        high, low = int(high), int(low or high)
        changed.append(
            (('bit ' if high == low else 'bits ') + bits, *(spell_bits(value, high, low) for value in (should, holds)))
        )
    return changed


def spell_bits(value, high, low):
    number = value >> low & (1 << high - low + 1) - 1
    return '%d' % number if number < 10 else '0x%x' % number


def spell_cpus(cpus, packages, online):
    """Return CPUs in words: '' for all, ``package 1``, ``CPU 3,5``. packages: a list of CPUs each."""
    cpus = set(cpus)
    if cpus == set(online):
        return ''
    whole = [number for number, its in enumerate(packages) if its and set(its) <= cpus]
    if whole and cpus == {cpu for number in whole for cpu in packages[number]}:
        return 'package %s' % format_cpulist(whole)
    return 'CPU %s' % format_cpulist(cpus)
