# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The expectation: what a policy means on one node, as bits of registers.

Pure: the statements, the processor, its registers, what they hold and the
kernel's frequency driver in; bits, notes and problems out. So the node that is to hold them and the
controller that compares later cannot disagree.
"""

import collections

from ..errors import MsrSafeError
from ..hardware.cpu import list_name
from ..hardware.cpulist import format_cpulist, parse_cpulist
from ..numbers import MAX_MASK, parse_literal
from ..registers.register import decode_field, describe, encode, field_mask, find_field
from .control import ANY, CONTROLS, fields_of, registers_meant
from .statement import describe_statement

Expectation = collections.namedtuple('Expectation', 'bits notes problems')
Expectation.__doc__ = """bits: {address: {CPU: (bits, mask)}}; notes: why statements are not for this node, in words: it
has no such register, or the kernel owns it; problems: why they cannot be had, or could not be looked at."""

Node = collections.namedtuple('Node', 'cpu driver registers values online')
Node.__doc__ = """What is resolved on: the processor (as from read_cpu), the kernel's frequency driver or '', its
Registers, {address: {CPU: value, or why it could not be read}}, and [CPU] online."""


class NotHere(Exception):
    """A statement is not for this node, and why in words."""


def expect(statements, node):
    """Return the Expectation that Statements make of a Node. Of two that are about the same bits, the later holds."""
    bits, notes, problems = {}, [], []
    for statement in statements:
        if statement.models and list_name(node.cpu) not in statement.models:
            continue
        what = 'policy, %s: ' % describe_statement(statement)
        try:
            for address, cpu, wanted, mask in resolve(statement, node):
                of_cpu = bits.setdefault(address, {})
                before, before_mask = of_cpu.get(cpu, (0, 0))
                of_cpu[cpu] = ((before & ~mask) | wanted, before_mask | mask)
        except NotHere as reason:
            notes.append(what + str(reason))
        except MsrSafeError as error:
            problems.append(what + str(error).replace('\n', ' '))
    return Expectation(bits, notes, problems)


def resolve(statement, node):
    """Return [(address, CPU, bits, mask)] of a statement. Raises NotHere, and MsrSafeError where it is impossible."""
    cpus = node.online if statement.cpus == 'all' else parse_cpulist(statement.cpus)
    absent = sorted(set(cpus) - set(node.online))
    if absent:
        raise MsrSafeError('CPU %s is not online.' % format_cpulist(absent))
    find = find_control if statement.control else find_register
    alike = collections.OrderedDict()
    for cpu in cpus:
        alike.setdefault(told_on(statement, node, cpu), []).append(cpu)
    return [
        (register.address, cpu, bits, mask)
        for told, its_cpus in alike.items()
        for register, bits, mask in find(statement, node, dict(told))
        for cpu in its_cpus
    ]


def told_on(statement, node, cpu):
    """Return ((address, value), …) of all registers that decide what a statement means on a CPU."""
    names = registers_meant([statement.control]) if statement.control else [statement.register]
    registers = [register for name in names for register in registers_of_name(node, name)]
    addresses = {register.address for register in registers} | set(node.registers.needed_to_decode(registers))
    return tuple((address, node.values[address].get(cpu)) for address in sorted(addresses & set(node.values)))


def registers_of_name(node, text):
    """Return the registers of the node that a name or an address means: none, or one."""
    try:
        return [node.registers.find(text)]
    except MsrSafeError:
        return []


def find_register(statement, node, told):
    """Return [(register, bits, mask)] of a statement about a register."""
    found = registers_of_name(node, statement.register)
    if not found:
        elsewhere = node.registers.missing(statement.register)
        raise NotHere(' '.join(filter(None, ['this CPU has no register %s.' % statement.register, elsewhere])))
    register = found[0]
    require_no_owner(register, ANY if register.kind == 'governed' else (), node)
    require_readable(register, told)
    value = statement.value
    if statement.field is None:
        return [(register, parse_literal(value.text, MAX_MASK, 'value:'), statement.mask)]
    field = find_field(register, statement.field)
    if value.kind not in ('number', 'switch'):
        return [(register, *encode(register, field.name, value.amount, value.kind, readable(told)))]
    if field.unit and not value.text.lower().startswith('0x'):
        raise MsrSafeError(
            '%s of %s has a unit, and none is given.' % (field.name, describe(register)),
            'Write it as in 205 W or 2.4 GHz, or the bare number in hexadecimal.',
        )
    return [(register, *encode(register, field.name, value.amount, None, readable(told)))]


def find_control(statement, node, told):
    """Return [(register, bits, mask)] of a statement about a control, the first way that this CPU has it."""
    control = CONTROLS[statement.control]
    reasons = []
    for way in control.ways:
        register = register_of_way(way, node)
        if register is None:
            continue
        fields = fields_of(way, register)
        mask = sum(field_mask(find_field(register, name)) for name in fields)
        if not fields or mask & ~register.mask:
            reasons.append('%s of this CPU does not take it' % describe(register))
            continue
        require_no_owner(register, way.owners, node)
        if way.only_if and not told_number(way.only_if, node, told):
            reasons.append('%s of %s is off' % (way.only_if[1], way.only_if[0]))
            continue
        require_readable(register, told)
        return [bits_of_way(statement, way, register, fields, node, told)]
    raise NotHere(
        '; '.join(filter(None, ['; '.join(reasons) or 'this CPU has no such register', instead(control, node)])) + '.'
    )


def instead(control, node):
    return control.instead.get(node.cpu.get('vendor'), '')


def register_of_way(way, node):
    """Return the register of a way that our table has for this CPU, or None: that a list has its name is not enough."""
    for name in way.registers:
        for register in node.registers.named(name):
            if register.fields:
                return register
    return None


def require_no_owner(register, owners, node):
    """Raise NotHere where a driver of the kernel rewrites a register."""
    if node.driver and (owners == ANY or node.driver in owners):
        raise NotHere(
            "the kernel's driver %s owns %s and rewrites it: use cpupower, or /sys/devices/system/cpu/cpufreq."
            % (node.driver, describe(register))
        )


def require_readable(register, told):
    """Raise MsrSafeError where it is not known what a register holds."""
    value = told.get(register.address)
    if not isinstance(value, int):
        raise MsrSafeError(
            '%s could not be read: %s.' % (describe(register), value or 'it is not on the approved list')
        )


def readable(told):
    return {address: value for address, value in told.items() if isinstance(value, int)}


def told_value(pair, node, told):
    """Return the FieldValue of (register, field), which some other register tells; None where this CPU has none.

    Raises MsrSafeError where it could not be read.
    """
    name, field_name = pair
    for register in registers_of_name(node, name):
        require_readable(register, told)
        return decode_field(find_field(register, field_name), told[register.address], readable(told))
    return None


def told_number(pair, node, told):
    value = told_value(pair, node, told)
    return value.number if value else 0


def bits_of_way(statement, way, register, fields, node, told):
    """Return (register, bits, mask) that make one way hold a statement's value. Raises MsrSafeError."""
    context, bits, mask = readable(told), 0, 0
    amount, unit = wanted_of(statement, way, node, told)
    if unit:
        require_within(statement, way, amount, unit, node, told)
    for name, number in [(name, amount) for name in fields] + sorted(way.also.items()):
        its_bits, its_mask = encode(register, name, number, unit if name in fields else None, context)
        bits, mask = bits | its_bits, mask | its_mask
    if way.lock and told_number((register.name, way.lock), node, told) and (told[register.address] ^ bits) & mask:
        raise MsrSafeError('%s is locked until the next reset.' % describe(register), 'A BIOS locks it: ask there.')
    return register, bits, mask


def wanted_of(statement, way, node, told):
    """Return (amount, unit or None) that the fields of a way are to hold."""
    value = statement.value
    if value.kind == 'switch':
        return (1 - value.amount if way.inverted else value.amount), None
    if value.kind == 'word':
        return way.words[value.text], None
    if value.kind != 'percent':
        return value.amount, value.kind
    whole = told_value(way.whole, node, told)
    if whole is None or not whole.amount:
        raise MsrSafeError('this CPU does not say what the whole is (%s of %s).' % (way.whole[1], way.whole[0]))
    return value.amount / 100 * whole.amount, whole.unit


def require_within(statement, way, amount, unit, node, told):
    """Raise MsrSafeError where an amount is beyond what the CPU itself says."""
    for pair, is_beyond, word in (
        (way.least, lambda limit: amount < limit, 'least'),
        (way.most, lambda limit: amount > limit, 'most'),
    ):
        limit = told_value(pair, node, told) if pair else None
        if limit is not None and limit.amount and is_beyond(limit.amount):
            raise MsrSafeError(
                '%s is %.10g %s, and this CPU takes at %s %.10g (%s of %s).'
                % (statement.value.text, amount, unit, word, limit.amount, pair[1], pair[0])
            )
