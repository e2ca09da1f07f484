# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The source of truth: which registers a CPU has, from the YAML files beside this one."""

import collections
import fnmatch
import pathlib
import sys

import yaml

SOURCE = pathlib.Path(__file__).resolve().parent
LISTS = SOURCE.parent
sys.path.insert(0, str(LISTS.parent / 'plugins'))

from module_utils.approved_lists.approved_list import KINDS, Entry  # noqa: E402
from module_utils.numbers import MAX_ADDRESS, MAX_MASK  # noqa: E402
from module_utils.registers.units import UNITS  # noqa: E402

# Each tier has what the one before it has.
TIERS = collections.OrderedDict(
    (
        ('shared', 'read only, and nothing that tells what other jobs do: clocks, temperatures, limits, status'),
        ('monitor', 'shared, and counters, still read only; no energy counters (PLATYPUS)'),
        ('perf', 'monitor, and energy counters; performance counters can be programmed'),
        ('power', 'perf, and power limits, frequency, turbo, energy bias, prefetchers can be set'),
    )
)
SCOPES = ('cpu', 'core', 'die', 'package', 'board')

READ_ONLY_TIERS = ('shared', 'monitor')
VENDORS = ('GenuineIntel', 'AuthenticAMD', 'HygonGenuine')

Cpu = collections.namedtuple('Cpu', 'signature name vendor products source registers')
Register = collections.namedtuple('Register', 'address pattern number kind scope masks site fields group source')
Register.__doc__ = """A register of a CPU.

pattern, number: its name is the pattern with the number in the place of {};
masks: its write mask in each tier that lists it; site: the bits that a site may
open beyond that; fields: its Fields, where we know them; group and source:
where the entry stands in the YAML files, and where its fact comes from.
"""
Field = collections.namedtuple('Field', 'name high low unit')


class SourceError(Exception):
    """The source of truth contradicts itself."""


def load_cpus():
    """Return all CPUs with their registers."""
    groups, layouts = load_groups(), load_yaml(SOURCE / 'fields.yml')
    return [
        load_cpu(signature, cpu, groups, layouts)
        for first, cpu in load_yaml(SOURCE / 'cpus.yml').items()
        for signature in (first, *cpu.get('also', ()))
    ]


def load_yaml(path):
    """Return what a YAML file says."""
    with open(str(path), encoding='utf-8') as stream:
        return yaml.load(stream, getattr(yaml, 'CSafeLoader', yaml.SafeLoader))  # the same, in C


def load_groups():
    """Return what a CPU may name: register groups and sets of them."""
    groups = {}
    for path in [*sorted((SOURCE / 'registers').glob('*.yml')), SOURCE / 'sets.yml']:
        for name, group in load_yaml(path).items():
            if name in groups:
                raise SourceError('%s: %s exists already' % (path.name, name))
            groups[name] = group
    return groups


def load_cpu(signature, cpu, groups, layouts):
    """Return a CPU with its registers in address order."""
    try:
        registers = [with_fields(register, layouts) for use in cpu['groups'] for register in expand_use(use, groups)]
        check_registers(registers)
        if cpu['vendor'] not in VENDORS:
            raise SourceError('no vendor is called %s' % cpu['vendor'])
    except SourceError as error:
        raise SourceError('%s: %s' % (signature, error)) from error
    registers.sort(key=address_of)
    return Cpu(signature, cpu['name'], cpu['vendor'], cpu['products'], cpu['source'], registers)


def address_of(register):
    """Return a register's address, to sort by."""
    return register.address


def name_of(register):
    """Return the manual's name of a register."""
    return register.pattern.format(register.number)


def expand_use(use, groups):
    """Yield the registers of a group, a set, or boxes: ``group: {boxes: 28, without: [6]}``."""
    name, options = name_and_options(use)
    if name not in groups:
        raise SourceError('no group is called %s' % name)
    group = groups[name]
    if ('boxes' in options) != ('box' in group):
        raise SourceError('%s: a number of boxes belongs to a group with a box, and only there' % name)
    if 'groups' in group:
        for member in group['groups']:
            yield from expand_use(member, groups)
    elif 'box' in group:
        for number in sorted(set(range(options['boxes'])) - set(options.get('without', ()))):
            yield from expand_box(name, group, number)
    else:
        yield from expand_lines(name, group)


def name_and_options(use):
    """Return what a line of a CPU says: (group, {}) or, for ``group: {boxes: 28}``, (group, options)."""
    return (use, {}) if isinstance(use, str) else next(iter(use.items()))


def expand_box(name, group, number):
    """Yield the registers of box ``number`` of a group: it is at base + number * stride."""
    box = group['box']
    for register in expand_lines(name, group):
        yield register._replace(
            address=box['base'] + number * box['stride'] + register.address,
            pattern=box['name'].format(box='{}') + name_of(register),
            number=number,
        )


def expand_lines(name, group):
    """Yield the registers of all lines of a group, ``count`` of them where a line says so."""
    for line in group['registers']:
        for number in range(line.get('count', 1)):
            yield Register(
                address=line['at'] + number * line.get('stride', 1),
                pattern=line['name'].format(i='{}'),
                number=line.get('first', 0) + number,
                kind=line.get('kind', 'configuration'),
                scope=line.get('scope', group['scope']),
                masks=masks_of(line),
                site=line.get('site', 0),
                fields=fields_of(line),
                group=name,
                source=group['source'],
            )


def masks_of(line):
    """Return the write mask in each tier that lists a register: a tier has that of the one before it."""
    masks = collections.OrderedDict()
    mask = 0
    tiers = list(TIERS)
    for tier in tiers[tiers.index(line.get('from', tiers[0])) :]:
        mask = line.get(tier, mask)
        masks[tier] = mask
    return masks


def with_fields(register, layouts):
    """Return a register with the fields of its name, where its group does not give its own."""
    for name, layout in layouts.items():
        if register.fields is None and fnmatch.fnmatchcase(name_of(register), name):
            return register._replace(fields=fields_of(layout))
    return register._replace(fields=register.fields or [])


def fields_of(line):
    """Return the Fields of ``fields: {NAME: [high, low, unit], NAME: [bit]}``; None where a line does not say."""
    if 'fields' not in line:
        return None
    return [
        Field(name, bits[0], bits[0] if len(bits) == 1 else bits[1], bits[2] if len(bits) > 2 else None)
        for name, bits in line['fields'].items()
    ]


def check_registers(registers):
    """Raise SourceError where an address or a name comes twice, or a register cannot be meant."""
    group_of = {}
    for register in registers:
        check_register(register)
        for key in ('0x%X' % register.address, name_of(register)):
            if key in group_of:
                raise SourceError('%s is in %s and in %s' % (key, group_of[key], register.group))
            group_of[key] = register.group


def check_register(register):
    """Raise SourceError where a register says something that cannot be meant."""
    rules = (
        (register.address <= MAX_ADDRESS, 'address'),
        (register.kind in KINDS, 'kind'),
        (register.scope in SCOPES, 'scope'),
        (
            not any(register.masks.get(tier) for tier in READ_ONLY_TIERS),
            'mask: the tiers shared and monitor are read only',
        ),
        (all(0 <= mask <= MAX_MASK for mask in (register.site, *register.masks.values())), 'mask'),
        (register.source, 'source'),
        (are_apart(register.fields), 'fields: they overlap or are outside of 63 to 0'),
        (all(field.unit in (None, *UNITS) for field in register.fields), 'unit of a field'),
    )
    for holds, what in rules:
        if not holds:
            raise SourceError('%s (0x%X): wrong %s' % (name_of(register), register.address, what))


def are_apart(fields):
    """Return whether each bit of a register belongs to one field at most."""
    bits = [bit for field in fields for bit in range(field.low, field.high + 1)]
    return len(set(bits)) == len(bits) and set(bits) <= set(range(64))


def entries_in(cpu, tier):
    """Return the entries of a CPU's approved list in a tier."""
    return [
        Entry(register.address, register.masks[tier], name_of(register), register.kind, None)
        for register in registers_in(cpu, tier)
    ]


def registers_in(cpu, tier):
    """Return the registers of a CPU that a tier lists."""
    return [register for register in cpu.registers if tier in register.masks]


def family_and_model(signature):
    """Return what a list's name says: (6, 85) for al_0655."""
    return int(signature[3:5], 16), int(signature[5:], 16)
