#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Generate the approved lists from their source of truth.

cpus.yml says which register groups a CPU has, sets.yml which groups several
share, registers/*.yml what is in a group; README.md describes the format. Run without arguments
to write the lists, with --check to see whether they agree, with --explain
al_068f 0x774 to see where an entry comes from. For people who change lists;
nodes read the files only.
"""

import argparse
import collections
import difflib
import pathlib
import re
import sys

import yaml

SOURCE = pathlib.Path(__file__).resolve().parent
LISTS = SOURCE.parent
sys.path.insert(0, str(LISTS.parent / 'plugins'))

from module_utils.approved_list import KINDS, Entry, render_list  # noqa: E402

# Each tier has what the one before it has. The default tier's files lie in
# approved_lists/ itself, where sites look for al_0655.
TIERS = collections.OrderedDict((
    ('monitor', 'read only: clocks, temperatures, status, counters; no energy counters (PLATYPUS)'),
    ('perf', 'monitor, and energy counters; performance counters can be programmed'),
    ('power', 'perf, and power limits, frequency, turbo, energy bias, prefetchers can be set'),
))
DEFAULT_TIER = 'power'
SCOPES = ('cpu', 'core', 'die', 'package', 'board')

Register = collections.namedtuple('Register', 'address name kind scope first_tier masks fields group source')


class SourceError(Exception):
    """The source of truth contradicts itself."""


def load_yaml(path):
    with open(str(path), encoding='utf-8') as stream:
        return yaml.safe_load(stream)


def load_groups():
    """Return all register groups, by name."""
    groups = {}
    for path in sorted((SOURCE / 'registers').glob('*.yml')):
        for name, group in load_yaml(path).items():
            if name in groups:
                raise SourceError('%s: group %s exists already' % (path.name, name))
            groups[name] = group
    return groups


def load_cpus():
    return load_yaml(SOURCE / 'cpus.yml')


def load_groups_and_sets():
    """Return what a CPU may name: register groups, and sets of them."""
    return dict(load_groups(), **load_yaml(SOURCE / 'sets.yml'))


def registers_of(cpu, groups):
    """Return the registers of a CPU in address order."""
    registers = {}
    for use in cpu['groups']:
        for register in expand_use(use, groups):
            if register.address in registers:
                raise SourceError('0x%X is in %s and in %s' % (
                    register.address, registers[register.address].group, register.group))
            registers[register.address] = register
    return [registers[address] for address in sorted(registers)]


def expand_use(use, groups):
    """Yield the registers of one line of a CPU: a group, a set, ``group: {boxes: 28, without: [6]}``."""
    name, options = next(iter(use.items())) if isinstance(use, dict) else (use, {})
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


def expand_box(name, group, number):
    """Yield the registers of box ``number`` of a group: it is at base + number * stride."""
    box = group['box']
    return expand_lines(name, group, box['base'] + number * box['stride'], box['name'].format(box=number))


def expand_lines(name, group, base=0, prefix=''):
    """Yield the registers of all lines of a group."""
    for line in group['registers']:
        yield from expand_line(line, name, group, base, prefix)


def expand_line(line, group_name, group, base, prefix):
    """Yield the registers of one line of a group: one, or ``count`` of them."""
    for number in range(line.get('count', 1)):
        yield Register(
            address=base + line['at'] + number * line.get('stride', 1),
            name=prefix + line['name'].format(i=number + line.get('first', 0)),
            kind=line.get('kind', 'configuration'),
            scope=line.get('scope', group['scope']),
            first_tier=line.get('from', 'monitor'),
            masks={tier: line[tier] for tier in TIERS if tier in line},
            fields=line.get('fields', {}),
            group=group_name,
            source=line.get('source', group['source']),
        )


def check_register(register):
    """Raise SourceError where a register says something that cannot be meant."""
    known = (
        (register.kind in KINDS, 'kind'),
        (register.scope in SCOPES, 'scope'),
        (register.first_tier in TIERS, 'from'),
        ('monitor' not in register.masks, 'monitor: that tier is read only, so its mask'),
        (all(0 < mask < 1 << 64 for mask in register.masks.values()), 'mask'),
        (bool(register.source), 'source'),
    )
    for right, what in known:
        if not right:
            raise SourceError('%s (0x%X): wrong %s' % (register.name, register.address, what))


def tiers_up_to(tier):
    names = list(TIERS)
    return names[:names.index(tier) + 1]


def mask_in(register, tier):
    """Return the write mask in a tier: that of the highest tier up to it that names one."""
    masks = [register.masks[name] for name in tiers_up_to(tier) if name in register.masks]
    return masks[-1] if masks else 0


def entries_in(registers, tier):
    """Return the approved list's entries of a CPU's registers in a tier."""
    return [Entry(register.address, mask_in(register, tier), register.name, register.kind, None)
            for register in registers if register.first_tier in tiers_up_to(tier)]


def render_file(signature, cpu, registers, tier):
    """Return the text of one approved list."""
    listed = [register for register in registers if register.first_tier in tiers_up_to(tier)]
    return render_list(entries_in(registers, tier), header(signature, cpu, listed, tier))


def header(signature, cpu, registers, tier):
    sources = collections.OrderedDict()
    for register in registers:
        sources.setdefault(register.source, []).append(register.group)
    lines = [
        'SPDX-License-Identifier: GPL-3.0-or-later',
        'Copyright (c) 2026 hpc.msr_safe contributors',
        '',
        '%s, tier %s' % (signature, tier),
        'CPU: %s, family %d model %d (%s)' % (cpu['name'], *family_and_model(signature), cpu['products']),
        'Tier %s: %s' % (tier, TIERS[tier]),
        '',
        'Generated by approved_lists/source/generate.py: do not edit. A site changes entries',
        'with msr_safe_approved_list_overrides, see docs/approved-lists.md.',
        '',
        'Facts: %s' % cpu['source'],
    ]
    lines += ['  %s: %s' % (', '.join(unique(names)), source) for source, names in sources.items()]
    return lines + ['', 'address, write mask (0: read only), name, kind where it is not plain configuration']


def family_and_model(signature):
    """Return what al_0655 is for: (6, 85)."""
    return int(signature[3:5], 16), int(signature[5:], 16)


def unique(items):
    return list(collections.OrderedDict.fromkeys(items))


def path_of(signature, tier):
    """Return where a list lies: al_0655 for the default tier, monitor/al_0655 for another."""
    return LISTS / signature if tier == DEFAULT_TIER else LISTS / tier / signature


def generate():
    """Return the text of every list, by path."""
    groups = load_groups_and_sets()
    files = collections.OrderedDict()
    for signature, cpu in load_cpus().items():
        try:
            registers = registers_of(cpu, groups)
            for register in registers:
                check_register(register)
        except SourceError as error:
            raise SourceError('%s: %s' % (signature, error))
        for tier in TIERS:
            files[path_of(signature, tier)] = render_file(signature, cpu, registers, tier)
    return files


def lists_on_disk():
    return {path for directory in [LISTS] + [LISTS / tier for tier in TIERS]
            for path in directory.glob('al_*')}


def write(files):
    """Write all lists and remove those that the source no longer has."""
    for path in lists_on_disk() - set(files):
        path.unlink()
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding='utf-8')


def difference(files):
    """Return a diff from the lists on disk to what the source says; empty where they agree."""
    lines = []
    for path in sorted(lists_on_disk() | set(files)):
        now = path.read_text(encoding='utf-8') if path.exists() else ''
        name = str(path.relative_to(LISTS.parent))
        lines += difflib.unified_diff(now.splitlines(), files.get(path, '').splitlines(),
                                      name, name + ' (from the source)', lineterm='')
    return '\n'.join(lines)


def explain(signature, address):
    """Return where an entry of a CPU comes from, in words."""
    cpu = load_cpus()[signature]
    for register in registers_of(cpu, load_groups_and_sets()):
        if register.address == address:
            masks = ', '.join('%s 0x%016X' % (tier, mask_in(register, tier))
                              for tier in TIERS if register.first_tier in tiers_up_to(tier))
            return '%s 0x%08X %s (%s, per %s): %s\n  masks: %s\n  group %s: %s\n  CPU: %s' % (
                signature, address, register.name, register.kind, register.scope, cpu['name'],
                masks, register.group, register.source, cpu['source'])
    return '%s does not have 0x%08X' % (signature, address)


def main():
    parser = argparse.ArgumentParser(description='Generate approved_lists/ from approved_lists/source/.')
    parser.add_argument('--check', action='store_true', help='write nothing; fail with a diff where they disagree')
    parser.add_argument('--explain', nargs=2, metavar=('LIST', 'ADDRESS'), help='say where an entry comes from')
    arguments = parser.parse_args()
    try:
        if arguments.explain:
            print(explain(arguments.explain[0], int(arguments.explain[1], 0)))
        elif arguments.check:
            sys.exit(difference(generate()) or 0)
        else:
            write(generate())
    except SourceError as error:
        sys.exit('approved_lists/source: %s' % error)


if __name__ == '__main__':
    main()
