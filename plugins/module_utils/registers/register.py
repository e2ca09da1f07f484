# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The registers of a CPU: their names, what they are for, and their fields.

Pure, and without the table of all CPUs: of_cpu.py has that. Values of fields
are converted with units.py.
"""

import collections
import re

from ..errors import MsrSafeError
from ..numbers import MAX_ADDRESS, MAX_MASK, parse_literal
from .units import UNITS, parse_unit

Register = collections.namedtuple('Register', 'address name kind scope fields mask tier site')
Register.__doc__ = """A register: address, the manual's name or '', kind as in approved lists, scope
(one per cpu, core, die, package or board; '' where we do not know), its Fields, lowest first,
the bits that a list may let be written, the first tier that lists it, and those of the bits that no
tier opens, but a site may."""
Register.__new__.__defaults__ = (MAX_MASK, '', 0)

Field = collections.namedtuple('Field', 'name high low unit')
Field.__doc__ = """Bits of a register, both included, with a meaning; unit: a key of units.UNITS or None."""

FieldValue = collections.namedtuple('FieldValue', 'name number amount unit')
FieldValue.__doc__ = """What a field holds: its number, and the amount in a unit ('watts') where it has one.

amount is None, too, where the register that tells the CPU's units was not read.
"""


class Registers:
    """The registers that our table has of one CPU; none, of a CPU that it does not know.

    kinds, elsewhere: {short name: kind} and {short name: addresses} of all CPUs, for the registers of a list whose CPU
    the table does not know.
    missing: a function from the name of a register that the CPU lacks to a sentence about what it has instead, or None.
    """

    def __init__(self, registers, kinds=None, missing=None, elsewhere=None):
        self.by_address = {register.address: register for register in registers}
        self.kinds = kinds or {}
        self.elsewhere = elsewhere or {}
        self.missing = missing or (lambda name: None)

    def at(self, address):
        """Return the register at an address; one without name and fields where we know nothing of it."""
        return self.by_address.get(address) or Register(address, '', 'configuration', '', ())

    def complete(self, entries):
        """Return entries of a list with name and kind where they do not say them."""
        return [self.complete_entry(entry) for entry in entries]

    def complete_entry(self, entry):
        register = self.at(entry.address)
        if not entry.name or short_name(entry.name) == short_name(register.name):
            entry = entry._replace(name=register.name)
        kind = register.kind if register.name else self.kinds.get(short_name(entry.name), 'configuration')
        return entry if entry.kind != 'configuration' else entry._replace(kind=kind)

    def find(self, text):
        """Return the register that a text means: a name, with or without its prefix, or an address.

        Raises MsrSafeError where the text means none, or several.
        """
        text = text.strip()  # A list that is given as text, with blanks after its commas
        if text[:1].isdigit():
            return self.at(parse_literal(text, MAX_ADDRESS, 'register:'))
        found = self.named(text) if short_name(text) else []
        if not found:
            raise MsrSafeError('This CPU has no register %s.' % text, self.suggestion(text))
        if len(found) > 1:
            raise MsrSafeError(
                '%s means several registers: %s.' % (text, ' and '.join(describe(register) for register in found)),
                'Give the full name, or the address.',
            )
        return found[0]

    def named(self, name):
        """Return the registers of a name: the one of exactly this name, or else all without regard to prefixes."""
        exact = [register for register in self.by_address.values() if register.name == name.upper()]
        return exact or [
            register for register in self.by_address.values() if short_name(register.name) == short_name(name)
        ]

    def suggestion(self, name):
        """Return the remedy for a name that means nothing here."""
        elsewhere = self.missing(name)
        if elsewhere:
            return elsewhere
        names = {short_name(register.name): register.name for register in self.by_address.values()}
        near = [names[match] for match in near_words(short_name(name), names)]
        return 'Did you mean %s?' % ' or '.join(near) if near else 'Give its address.'

    def needed_to_decode(self, registers):
        """Return the addresses of the registers that tell the units of the fields of others, ascending."""
        units = {field.unit for register in registers for field in register.fields if field.unit}
        needs = {address for unit in units for address in UNITS[unit].needs}
        return sorted(needs & set(self.by_address))


def parse_group(text):
    """Yield the registers of a group of the table (register_table.py, which says how a group is written)."""
    fields = []
    for line in reversed(text.splitlines()):
        if line.startswith(' '):
            fields.append(parse_field(line))
        else:
            yield from parse_run(line, tuple(reversed(fields)))
            fields = []


def parse_run(line, fields):
    """Yield the registers of a line: ``0x186 IA32_PERFEVTSEL{} configuration cpu 0xFFEDFFFF+0x120000 perf 0-7 0x1``."""
    address, name, kind, scope, mask, tier = line.split()[:6]
    numbers, stride = line.split()[6:] or ('0-0', '0x0')
    first, last = (int(number) for number in numbers.split('-'))
    opened, site = (int(part, 16) for part in (mask + '+0x0').split('+')[:2])
    for number in range(first, last + 1):
        place = int(address, 16) + (number - first) * int(stride, 16)
        yield Register(place, name.format(number), kind, scope, fields, opened | site, tier, site)


def parse_field(line):
    """Return the Field of a line: ``  PL1_POWER_LIMIT 14:0 power``."""
    name, bits, *unit = line.split()
    high, low = (int(bit) for bit in bits.split(':'))
    return Field(name, high, low, unit[0] if unit else None)


def find_field(register, name):
    """Return a register's field by its name. Raises MsrSafeError."""
    for field in register.fields:
        if field.name == name.upper():
            return field
    names = [field.name for field in register.fields]
    if not names:
        raise MsrSafeError(
            'We know no fields of %s.' % describe(register), 'Give value and mask of the whole register.'
        )
    raise MsrSafeError(
        '%s has no field %s.' % (describe(register), name),
        'Its fields are %s.' % ', '.join(near_words(name.upper(), names) or names),
    )


def field_mask(field):
    """Return the bits of a field as a mask."""
    return (1 << field.high + 1) - (1 << field.low)


def decode(register, value, context):
    """Return the FieldValue of each field of a register's value.

    context: {address: value} of the registers that needed_to_decode names, as
    read on the same CPU.
    """
    return [decode_field(field, value, context) for field in register.fields]


def decode_field(field, value, context):
    """Return what one field holds in a register's value."""
    number = (value & field_mask(field)) >> field.low
    if field.unit is None:
        return FieldValue(field.name, number, None, None)
    unit = UNITS[field.unit]
    try:
        return FieldValue(field.name, number, unit.amount(number, context), unit.quantity)
    except KeyError:
        return FieldValue(field.name, number, None, unit.quantity)


def encode(register, name, amount, unit, context):
    """Return (value, mask) that make a field be an amount, to the nearest that it can hold.

    unit: 'watts', 'gigahertz' …; None where the amount is the field's bare
    number. context: as for decode. Raises MsrSafeError where the amount does
    not fit, or is in another unit.
    """
    field = find_field(register, name)
    where = '%s of %s' % (field.name, describe(register))
    largest = field_mask(field) >> field.low
    if unit is None:
        if amount != int(amount):
            raise MsrSafeError('%s holds whole numbers, not %s.' % (where, amount), 'Round it, or give its unit.')
        check_span(amount, 0, largest, where, '')
        number = int(amount)
    else:
        number = number_of(field, amount, unit, largest, context, where)
    return number << field.low, field_mask(field)


def number_of(field, amount, word, largest, context, where):
    """Return the number nearest to an amount in a unit. Raises MsrSafeError."""
    if field.unit is None:
        raise MsrSafeError('%s has no unit.' % where, 'Give its number, without a unit.')
    unit = UNITS[field.unit]
    amount *= parse_unit(word, unit.quantity, where)
    try:
        least, greatest = unit.span(largest, context)
    except KeyError as missing:
        raise MsrSafeError(
            '%s is in units that register 0x%X tells, which could not be read.' % (where, missing.args[0]),
            'Approve reading it, or give the bare number, without a unit.',
        ) from None
    check_span(amount, least, greatest, where, ' ' + unit.quantity)
    return unit.number(amount, largest, context)


def check_span(amount, least, greatest, where, unit):
    """Raise MsrSafeError where an amount is not between two others."""
    if not least <= amount <= greatest:
        raise MsrSafeError(
            '%s cannot hold %.10g%s.' % (where, amount, unit), 'It holds %.10g to %.10g%s.' % (least, greatest, unit)
        )


def describe(register):
    """Return a register in words: ``MSR_PKG_POWER_LIMIT (0x610)``."""
    return '%s (0x%X)' % (register.name, register.address) if register.name else '0x%X' % register.address


def describe_bits(register, mask):
    """Return the bits of a mask in words: ``NAME`` of a field, ``NAME[3:0]`` of its part, ``23:16`` of no field."""
    words, rest = [], mask
    for field in register.fields:
        part = mask & field_mask(field)
        if part == field_mask(field):
            words.append((field.low, field.name))
        elif part:
            words += [
                (low, '%s[%s]' % (field.name, spell_bits(high - field.low, low - field.low)))
                for high, low in spans(part)
            ]
        rest &= ~part
    words += [(low, spell_bits(high, low)) for high, low in spans(rest)]
    return [word for _low, word in sorted(words)]


def spell_bits(high, low):
    return '%d:%d' % (high, low) if high > low else '%d' % low


def spans(mask):
    """Return the runs of bits of a mask as (high, low), lowest first."""
    found = []
    for bit in range(64):
        if mask >> bit & 1:
            low = found.pop()[1] if found and found[-1][0] == bit - 1 else bit
            found.append((bit, low))
    return found


def near_words(word, words):
    """Return those of ``words`` that look like another word, the nearest first."""
    import difflib  # Only errors need it, and it takes longer to load than all of this

    return difflib.get_close_matches(word, list(words), 3, 0.6)


def short_name(name):
    """Return a register's name without the manual's prefix, in capitals."""
    return re.sub(r'\AS?(IA32_|MSR_)', '', name.upper())
