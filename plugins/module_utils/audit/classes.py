# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A class: nodes of a run that are equal in everything that was observed; most of a fleet is a few of them."""

import collections

from ..hardware.cpu import list_name
from ..hardware.cpulist import parse_cpulist
from .indexes import unfold_indexes
from .nodeset import natural

Class = collections.namedtuple('Class', 'nodes facts readings equal policy group')
Class.__doc__ = """Names of nodes; what is so on each: facts (None: not observed), {address: index of reading},
what the site says is equal {name: text}, policy, and the number of the Group."""

Group = collections.namedtuple('Group', 'number title key')
Group.__doc__ = """Nodes that should be equal: same processor, packages and whatever the site adds."""


def classes_of(run):
    """Return ([Class] of the nodes that were observed, [Group], the largest first)."""
    members = collections.OrderedDict()
    for name in sorted(run.nodes, key=natural):
        node = run.nodes[name]
        if node.failure is None:
            key = (node.facts, node.registers, tuple(sorted(node.equal.items())), repr(node.policy))
            members.setdefault(key, []).append(name)
    sizes, titles = collections.Counter(), {}
    for names in members.values():
        node = run.nodes[names[0]]
        key = group_key(run.facts[node.facts], node.equal)
        sizes[key] += len(names)
        titles[key] = group_title(run.facts[node.facts], node.equal)
    groups = [Group(number, titles[key], key) for number, (key, _size) in enumerate(sizes.most_common())]
    numbers = {group.key: group.number for group in groups}
    classes = []
    for names in members.values():
        node = run.nodes[names[0]]
        readings = {int(run.readings[index][0], 16): index for index in unfold_indexes(node.registers)}
        facts = run.facts[node.facts]
        classes.append(Class(names, facts, readings, node.equal, node.policy, numbers[group_key(facts, node.equal)]))
    return classes, groups


def group_key(facts, equal):
    cpu = facts['cpu']
    return (
        cpu['vendor'],
        cpu['family'],
        cpu['model'],
        cpu['stepping'],
        len(facts['packages']),
        tuple(sorted(equal.items())),
    )


def group_title(facts, equal):
    """Return a group in words: ``Xeon Gold 6148 (al_0655 stepping 4), 2 packages, partition batch``."""
    cpu, packages = facts['cpu'], len(facts['packages'])
    words = [
        '%s (%s stepping %d)' % (short_model(cpu['model_name']), list_name(cpu), cpu['stepping']),
        '%d package%s' % (packages, '' if packages == 1 else 's'),
    ]
    return ', '.join(words + ['%s %s' % item for item in sorted(equal.items())])


def short_model(name):
    """Return a processor's name without what all names have: ``Xeon Gold 6148``."""
    for noise in ('(R)', '(TM)', 'Intel ', 'AMD ', ' CPU', ' Processor'):
        name = name.replace(noise, '')
    return ' '.join(name.partition('@')[0].split())


def cpus_of(facts):
    """Return ([CPU] online, [[CPU] of each package])."""
    return parse_cpulist(facts['cpu']['online']), [parse_cpulist(cpus) for cpus in facts['packages']]
