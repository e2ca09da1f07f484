# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A setting: a register, or a field or some bits of it, that is to hold a value on some CPUs."""

import collections

from ..access.batch import write_masks
from ..access.reading import by_cpu, describe_error
from ..access.registers import read_registers
from ..access.write import Write, describe_row, problem_of, summarize_writes
from ..approved_lists.active import read_active_list
from ..errors import MsrSafeError, for_all
from ..hardware.cpu import online_cpus, select_cpus
from ..hardware.devices import approved_list_device
from ..hardware.frequency import frequency_driver, owned_by
from ..hexadecimal import format_value
from ..numbers import MAX_MASK, parse_literal
from ..registers.register import decode_field, describe, describe_bits, encode, field_mask, find_field
from .interpretation import contexts_of

Setting = collections.namedtuple('Setting', 'register field mask cpus value unit')
Setting.__doc__ = (
    """What is wanted: a Register; a Field, or None; the bits; [CPU]; value and unit as they were given."""
)

Plan = collections.namedtuple('Plan', 'writes problems registers contexts')
Plan.__doc__ = """The Writes due and the Problems met; {address: Register} and contexts, to say what they mean."""

SWITCH = {'true': 1, 'yes': 1, 'on': 1, 'false': 0, 'no': 0, 'off': 0}


def parse_setting(machine, options, registers):
    """Return the Setting of options: register, field, value, unit, mask, cpus. Raises MsrSafeError."""
    require_given(options)
    register = registers.find(options['register'])
    field = find_field(register, options['field']) if options['field'] else None
    if field and options['mask']:
        raise MsrSafeError('%s: field and mask are both given.' % describe(register), 'Give one of them.')
    if options['unit'] and not field:
        raise MsrSafeError('%s: a unit is given without a field.' % describe(register), 'Say which field it is of.')
    if field and field.unit and not options['unit']:
        raise MsrSafeError(
            '%s of %s has a unit, and none is given.' % (field.name, describe(register)),
            'Give unit, or unit: raw for the bare number.',
        )
    if field:
        mask = field_mask(field)
    else:
        mask = parse_literal(options['mask'], MAX_MASK, 'mask:') if options['mask'] else MAX_MASK
    cpus = select_cpus(machine, options['cpus'], register.scope)
    return Setting(register, field, mask, cpus, options['value'], options['unit'])


def require_given(options):
    """Raise MsrSafeError for an option that is there and empty: left out, it would mean more, such as all bits."""
    needed = [name for name in ('register', 'value') if options[name] is None]
    empty = [name for name in sorted(options) if options[name] == '']
    if needed or empty:
        raise MsrSafeError(
            'A setting of %s has an empty %s.' % (options['register'] or 'a register', ', '.join(needed + empty)),
            'Does it come from a variable that is empty? Fill it in, or leave the option out.',
        )


def bits_of(setting, context):
    """Return the value of the setting's bits, in their place, on a CPU with a context. Raises MsrSafeError."""
    where = 'value of %s:' % describe(setting.register)
    if setting.field is None:
        value = parse_literal(setting.value, MAX_MASK, where)
        if value & ~setting.mask:
            raise MsrSafeError(
                '%s %s has bits outside the mask %s.' % (where, setting.value, format_value(setting.mask)),
                'Write the value in its place in the register, not shifted down.',
            )
        return value
    if setting.unit in (None, 'raw'):
        is_switch = setting.field.high == setting.field.low and setting.value.lower() in SWITCH
        number = SWITCH[setting.value.lower()] if is_switch else parse_literal(setting.value, MAX_MASK, where)
        return encode(setting.register, setting.field.name, number, None, context)[0]
    try:
        amount = float(setting.value)
    except ValueError:
        raise MsrSafeError('%s %r is not a number.' % (where, setting.value), 'Give the unit in unit.') from None
    return encode(setting.register, setting.field.name, amount, setting.unit, context)[0]


def plan_settings(machine, options, registers, allowed=None, read_all=read_registers):
    """Return the Plan that makes every setting true. options: a list, as for parse_setting.

    allowed: {address: write mask}, None: those of the list in force; read_all: what reads registers, as read_registers.
    Raises MsrSafeError, with all that is wrong, where one of them is
    impossible: nothing is planned then.
    """
    settings = for_all(options, lambda each: parse_setting(machine, each, registers))
    allowed = allowed_masks(machine, settings) if allowed is None else allowed
    for_all(settings, lambda setting: check_writable(setting, allowed))

    cpus = sorted({cpu for setting in settings for cpu in setting.cpus})
    needed = registers.needed_to_decode([setting.register for setting in settings if setting.field])
    readings = read_all(machine, sorted({setting.register.address for setting in settings} | set(needed)), cpus)
    contexts = contexts_of(readings, needed, cpus)

    wanted = {}  # (register, CPU) -> (bits, mask)
    for_all(settings, lambda setting: add_wanted(wanted, setting, contexts, readings))
    writes, problems = compare(wanted, readings)
    for_all(writes, lambda write: check_write(write, allowed, registers))
    return Plan(writes, problems, {setting.register.address: setting.register for setting in settings}, contexts)


def allowed_masks(machine, settings):
    """Return {address: write mask} of the registers of settings that the list in force has.

    The list's own device is root's on most nodes; others learn it from the batch device.
    """
    if machine.is_readable(approved_list_device(machine)):
        return {entry.address: entry.mask for entry in read_active_list(machine)}
    addresses = sorted({setting.register.address for setting in settings})
    return write_masks(machine, addresses, online_cpus(machine)[0])


def check_writable(setting, allowed):
    """Raise MsrSafeError where the list in force does not let a setting's field or mask be written."""
    register = setting.register
    if register.address not in allowed:
        raise MsrSafeError(
            '%s is not on the active approved list.' % describe(register),
            'Approve it: msr_safe_approved_list_overrides of the role hpc.msr_safe.msr_safe.',
        )
    if setting.mask != MAX_MASK:
        check_bits(register, setting.mask, allowed[register.address])


def check_write(write, allowed, registers):
    """Raise MsrSafeError where a write would change bits that the list in force does not let be written."""
    check_bits(registers.at(write.address), write.before ^ write.after, allowed[write.address])


def check_bits(register, mask, allowed):
    if mask & ~allowed:
        raise MsrSafeError(
            '%s of %s cannot be written: the active approved list has the write mask %s.'
            % (', '.join(describe_bits(register, mask & ~allowed)), describe(register), format_value(allowed)),
            'Leave them as they are, or approve them: msr_safe_approved_list_overrides of the role '
            'hpc.msr_safe.msr_safe.',
        )


def add_wanted(wanted, setting, contexts, readings):
    """Add the bits of a setting to what is wanted. Raises MsrSafeError where they contradict others.

    Of a CPU whose register could not be read, no bits: its units may be unknown, too.
    """
    bits_in, unread = {}, by_cpu(readings[setting.register.address].errors)
    for cpu in setting.cpus:
        if cpu in unread:
            wanted[setting.register, cpu] = (0, 0)
            continue
        if contexts[cpu] not in bits_in:
            bits_in[contexts[cpu]] = bits_of(setting, dict(contexts[cpu]))
        key = (setting.register, cpu)
        bits, mask = wanted.get(key, (0, 0))
        new = bits_in[contexts[cpu]]
        if (bits ^ new) & mask & setting.mask:
            raise MsrSafeError(
                'Two settings want different values in %s of %s on CPU %d.'
                % (', '.join(describe_bits(setting.register, mask & setting.mask)), describe(setting.register), cpu),
                'Keep one of them.',
            )
        wanted[key] = (bits | new, mask | setting.mask)


def compare(wanted, readings):
    """Return (Writes, Problems) that bring registers from what they hold to what is wanted."""
    values = {address: by_cpu(reading.values) for address, reading in readings.items()}
    errors = {address: by_cpu(reading.errors) for address, reading in readings.items()}
    writes, problems = [], []
    for (register, cpu), (bits, mask) in wanted.items():
        address, name = register.address, register.name
        if cpu in errors[address]:
            problems.append(problem_of(register, cpu, describe_error(errors[address][cpu])))
            continue
        before = values[address][cpu]
        after = (before & ~mask) | bits
        if before != after:
            writes.append(Write(address, name, mask, cpu, before, after))
    return writes, problems


def name_owner(machine, plan, problems):
    """Return problems with the kernel's driver named where it is the one that rewrites the register."""
    governed = {address for address, register in plan.registers.items() if register.kind == 'governed'}
    owner = frequency_driver(machine) if any(problem.address in governed for problem in problems) else ''
    return [
        problem._replace(error='%s (%s)' % (problem.error, owned_by(owner)))
        if owner and problem.address in governed
        else problem
        for problem in problems
    ]


def summarize_changes(plan):
    """Return the writes as summarize_writes does, each with the fields it changes: {name: {before, after, unit}}."""
    by_meaning = collections.OrderedDict()
    for write in sorted(plan.writes):
        by_meaning.setdefault((write.address, write.before, write.after, plan.contexts[write.cpu]), []).append(write)
    return [
        dict(row, fields=changed_fields(plan.registers[address], before, after, dict(context)))
        for (address, before, after, context), writes in by_meaning.items()
        for row in summarize_writes(writes)
    ]


def changed_fields(register, before, after, context):
    changed = {}
    for field in register.fields:
        old, new = (decode_field(field, value, context) for value in (before, after))
        if old.number != new.number:
            use = [each.number if each.amount is None else each.amount for each in (old, new)]
            changed[field.name] = {
                'before': use[0],
                'after': use[1],
                'unit': old.unit if old.amount is not None else None,
            }
    return changed


def render_changes(rows, side):
    """Return the values ``before`` or ``after`` of summarized changes as lines of text, for a diff."""
    return ''.join(
        '%-42s %s  on CPU %s%s\n'
        % (
            describe_row(row),
            row[side],
            row['cpus'],
            ''.join(spell_field(*item, side) for item in row['fields'].items()),
        )
        for row in rows
    )


def spell_field(name, field, side):
    return ', %s %.10g%s' % (name, field[side], ' ' + field['unit'] if field['unit'] else '')
