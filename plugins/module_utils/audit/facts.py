# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Facts: what else than registers is to be equal on equal nodes, and what each node needs to be of use."""

import collections

from .nodeset import fold_names

# Subject -> (category, function from what was observed to its text, or None where there is nothing to compare).
FACTS = collections.OrderedDict(
    [
        ('CPUs online', ('power', lambda facts: facts['cpu']['online'])),
        ('frequency driver', ('power', lambda facts: facts['cpufreq'] or 'none')),
        ('governor', ('power', lambda facts: facts['governor'] or 'none')),
        ('approved list', ('list', lambda facts: spell_list(facts['approved_list']))),
        ('policy at boot', ('power', lambda facts: '%.8s' % (facts.get('policy') or 'none'))),
        ('msr-safe', ('other', lambda facts: spell_module(facts['module']))),
        ('kernel', ('other', lambda facts: facts['kernel'])),
        ('microcode', ('other', lambda facts: facts['cpu']['microcode'])),
        ('BIOS', ('other', lambda facts: facts['bios'] or None)),
        ('machine', ('other', lambda facts: facts['product'] or None)),
    ]
)


def spell_list(approved_list):
    if not approved_list or not approved_list['registers']:
        return None
    return '%(registers)d registers (%(sha256).8s)' % approved_list


def spell_module(module):
    if not module:
        return None
    return '%s%s' % (module['version'] or 'of unknown version', '' if module['ours'] else ', not installed by the role')


def find_missing(classes, findings):
    """Add what a node lacks, whatever others have."""
    for each in classes:
        approved_list = each.facts['approved_list']
        if each.facts['module'] is None and approved_list is None:
            text = 'no msr-safe is loaded'
            if each.facts['stock_driver']:
                text += ", only the kernel's own msr driver"
            findings.add('missing', 'node', each.group, '', [], each.nodes, text)
        elif not approved_list or not approved_list['registers']:
            findings.add(
                'missing', 'node', each.group, '', [], each.nodes, 'msr-safe is loaded, without an approved list'
            )
        elif approved_list['installed'] is False:
            text = 'the approved list in force is not that of /etc/msr-safe/approved_list'
            findings.add('list', 'node', each.group, '', [], each.nodes, text)


def votes(each, subject):
    """Return how many nodes of a class say what a fact should be: a list that is not the node's own says nothing."""
    if subject == 'approved list' and each.facts['approved_list']['installed'] is False:
        return 0
    return len(each.nodes)


def compare_facts(classes, findings):
    """Compare each fact of equal nodes with that of most of them."""
    for subject, (category, spell) in FACTS.items():
        holders = collections.OrderedDict()
        for each in classes:
            text = spell(each.facts)
            if text is not None:
                holders.setdefault(text, []).append(each)
        if len(holders) < 2:
            continue
        weights = {text: sum(votes(each, subject) for each in members) for text, members in holders.items()}
        most = max(holders, key=lambda text: weights[text])
        others = [name for each in holders[most] for name in each.nodes]
        for text, members in holders.items():
            if text == most:
                continue
            nodes = [name for each in members for name in each.nodes]
            if 2 * weights[most] > sum(weights.values()):
                findings.add(category, 'majority', members[0].group, subject, [['', most, text, '']], nodes)
            else:
                line = '%s: %s on %s, %s on %s' % (subject, most, fold_names(others), text, fold_names(nodes))
                findings.add(category, 'split', members[0].group, subject, [['', most, text, '']], nodes + others, line)
