# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The comparison: where nodes differ from the policy, from an earlier run, and from most of their equals.

Nodes that are equal are compared once, as a Class, so a fleet costs what its differences cost.
"""

import collections

from ..policy.expectation import Node, expect
from ..policy.statement import parse_policy
from .category import STATES, category_of_register, state_of
from .classes import classes_of, cpus_of
from .facts import compare_facts, find_missing
from .finding import Findings
from .held import Held, KnownRegisters
from .indexes import unfold_indexes
from .nodeset import fold_names
from .words import changed_bits, spell_cpus

Comparison = collections.namedtuple('Comparison', 'groups classes findings notes states counts registers held')
Comparison.__doc__ = """[Group], [Class], [Finding] the worst first, notes [(text, [node])] on what was not compared and
why, {node: state}, {state: how many}; KnownRegisters and Held, to decode with."""


def compare(run, baseline=None):
    """Compare the nodes of a run with what they should be; return the Comparison.

    baseline: a Run in which each node was as it should be, or None.
    """
    classes, groups = classes_of(run)
    held, known, findings, notes = Held(run), KnownRegisters(), Findings(), collections.OrderedDict()
    covered = [{} for _class in classes]
    compared = [False] * len(classes)
    find_failures(run, findings)
    find_missing(classes, findings)
    compare_with_policy(classes, held, known, findings, notes, covered, compared)
    if baseline:
        compare_with_baseline(run, classes, baseline, held, known, findings, compared)
    for group in groups:
        members = [number for number, each in enumerate(classes) if each.group == group.number]
        compare_with_majority(
            [classes[number] for number in members], held, known, findings, covered_of(covered, members)
        )
        compare_facts([classes[number] for number in members], findings)
        if sum(len(classes[number].nodes) for number in members) > 1:
            for number in members:
                compared[number] = True
    for each, done in zip(classes, compared):
        if not done:
            note(notes, 'Not checked: there is no equal node, policy or baseline to compare with.', each.nodes)
    ranked = findings.ranked()
    states = states_of(run, classes, ranked, compared)
    counts = collections.Counter(states.values())
    return Comparison(
        groups, classes, ranked, list(notes.items()), states, {state: counts[state] for state in STATES}, known, held
    )


def covered_of(covered, members):
    return [covered[number] for number in members]


def note(notes, text, nodes):
    notes.setdefault(text, []).extend(nodes)


def find_failures(run, findings):
    """Nodes that could not be observed are findings, too."""
    for name, node in run.nodes.items():
        if node.failure:
            message = ' '.join(node.failure['message'].replace(name, 'the node').split())[:300]
            if node.failure['kind'] == 'unreachable':
                text = message or 'no answer'
            else:
                text = 'could not be observed: %s' % message
            findings.add('unreachable', 'node', None, '', [], [name], text)


def compare_with_policy(classes, held, known, findings, notes, covered, compared):
    """Compare each node with the policy that is for it; what it says of a bit, no other node says better."""
    for number, each in enumerate(classes):
        if not each.policy or not each.readings:
            continue
        values = {address: held.on_cpus(index) for address, index in each.readings.items()}
        cpu, (online, _packages) = each.facts['cpu'], cpus_of(each.facts)
        expected = expect(parse_policy(each.policy), Node(cpu, each.facts['cpufreq'], known.of(cpu), values, online))
        for text in expected.notes:
            note(notes, text, each.nodes)
        for text in expected.problems:
            findings.add('unread', 'policy', each.group, '', [], each.nodes, text)
        for address, wanted in sorted(expected.bits.items()):
            holds = values[address]
            should = {cpu: (holds[cpu] & ~mask) | bits for cpu, (bits, mask) in wanted.items()}
            compared[number] = True
            covered[number][address] = {cpu: mask for cpu, (_bits, mask) in wanted.items()}
            add_differences(each, known.at(cpu, address), should, holds, {}, 'policy', held, known, findings)


def compare_with_baseline(run, classes, baseline, held, known, findings, compared):
    """Compare each node with itself in an earlier run."""
    earlier = Held(baseline)
    for number, each in enumerate(classes):
        pairs = collections.OrderedDict()
        for name in each.nodes:
            before = baseline.nodes.get(name)
            if before is not None and before.failure is None:
                pairs.setdefault(before.registers, []).append(name)
        for registers, names in pairs.items():
            compared[number] = True
            same_nodes = each._replace(nodes=names)
            for index in unfold_indexes(registers):
                address = int(baseline.readings[index][0], 16)
                register = known.at(each.facts['cpu'], address)
                mask = known.mask(register)
                mine = each.readings.get(address)
                if mine is None or not mask or earlier.key(index, mask) == held.key(mine, mask):
                    continue
                add_differences(
                    same_nodes,
                    register,
                    earlier.on_cpus(index),
                    held.on_cpus(mine),
                    {},
                    'baseline',
                    held,
                    known,
                    findings,
                )


def compare_with_majority(classes, held, known, findings, covered):
    """Compare each register of equal nodes with what most of them hold."""
    if not classes:
        return
    cpu = classes[0].facts['cpu']
    for address in sorted({address for each in classes for address in each.readings}):
        register = known.at(cpu, address)
        mask = known.mask(register)
        if not mask:
            continue
        holders = collections.OrderedDict()
        for number, each in enumerate(classes):
            if address in each.readings:
                holders.setdefault(held.key(each.readings[address], mask), []).append(number)
        if len(holders) < 2:
            continue
        weights = {key: sum(len(classes[number].nodes) for number in numbers) for key, numbers in holders.items()}
        most = max(holders, key=lambda key: weights[key])
        is_majority = 2 * weights[most] > sum(weights.values())
        should = held.on_cpus(classes[holders[most][0]].readings[address])
        others = [name for number in holders[most] for name in classes[number].nodes]
        for key, numbers in holders.items():
            for number in numbers if key != most else ():
                each = classes[number]
                add_differences(
                    each,
                    register,
                    should,
                    held.on_cpus(each.readings[address]),
                    covered[number].get(address, {}),
                    'majority' if is_majority else 'split',
                    held,
                    known,
                    findings,
                    others,
                )


def add_differences(each, register, should, holds, covered, source, held, known, findings, others=()):
    """Add the finding of what a register should hold and holds, {CPU: value or error} each, where it differs.

    covered: {CPU: mask} of bits that do not count, because something that goes
    before was compared with. others: the nodes that hold what it should, where there is no majority.
    """
    changes, category = differences(each, register, should, holds, covered, held, known)
    if not changes:
        return
    nodes, text = each.nodes, None
    if source == 'split':
        nodes = [*each.nodes, *others]
        text = '%s: %s' % (
            register_title(register),
            ', '.join(
                '%s%s is %s on %s, %s on %s'
                % (what, ' on ' + cpus if cpus else '', wanted, fold_names(others), found, fold_names(each.nodes))
                for what, wanted, found, cpus in changes[:2]
            ),
        )
    findings.add(category, source, each.group, register_title(register), changes, nodes, text)


def differences(each, register, should, holds, covered, held, known):
    """Return ([[what, should be, is, CPUs in words]], category) of a register."""
    online, packages = cpus_of(each.facts)
    needed = known.units_of(each.facts['cpu'], register.address)
    units = [(address, held.on_cpus(each.readings[address])) for address in needed if address in each.readings]
    mask = known.mask(register)
    alike = collections.OrderedDict()
    for cpu in sorted(set(should) & set(holds)):
        counts = mask & ~covered.get(cpu, 0)
        pair = tuple(value & counts if isinstance(value, int) else value for value in (should[cpu], holds[cpu]))
        if pair[0] != pair[1] and counts:
            context = tuple((address, of_cpu[cpu]) for address, of_cpu in units if isinstance(of_cpu.get(cpu), int))
            alike.setdefault((*pair, context), []).append(cpu)
    changes, fields, unread = [], set(), False
    for (wanted, found, context), cpus in alike.items():
        words = spell_cpus(cpus, packages, online)
        if isinstance(wanted, int) and isinstance(found, int):
            for what, before, after in changed_bits(register, wanted, found, dict(context)):
                fields.add(what)
                changes.append([what, before, after, words])
        else:
            unread = True
            changes.append(['', spell_reading(wanted), spell_reading(found), words])
    return changes, 'unread' if unread and not fields else category_of_register(register, fields)


def spell_reading(value):
    return 'readable' if isinstance(value, int) else value


def register_title(register):
    return register.name or '0x%X' % register.address


def states_of(run, classes, findings, compared):
    """Return {node: state}: that of its worst finding."""
    categories = {name: set() for name in run.nodes}
    for finding in findings:
        for name in finding.nodes:
            categories[name].add(finding.category)
    states = {name: state_of(found) for name, found in categories.items()}
    for each, done in zip(classes, compared):
        for name in each.nodes:
            if not done and states[name] == 'ok':
                states[name] = 'unchecked'
    return states
