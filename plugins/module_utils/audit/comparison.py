# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The comparison: where nodes differ from the policy, from an earlier run, and from most of their equals.

Nodes that are equal are compared once, as a Class, so a fleet costs what its differences cost.
"""

import collections

from ..numbers import MAX_MASK
from ..policy.control import title_of_change
from ..policy.expectation import Node, expect
from ..policy.statement import parse_policy
from ..provisioning.deferred import of_every_node
from .category import STATES, category_of_register, state_of
from .classes import classes_of, cpus_of
from .facts import compare_facts, find_missing
from .finding import Findings
from .held import Held, KnownRegisters
from .indexes import unfold_indexes
from .nodeset import fold_names
from .words import changed_bits, changed_numbers, spell_cpus

Comparison = collections.namedtuple('Comparison', 'groups classes findings notes states counts registers held')
Comparison.__doc__ = """[Group], [Class], [Finding] the worst first, notes [(text, [node])] on what was not compared and
why, {node: state}, {state: how many}; KnownRegisters and Held, to decode with."""


def compare(run, baseline=None):
    """Compare the nodes of a run with what they should be; return the Comparison.

    baseline: a Run in which each node was as it should be, or None.
    """
    comparing = Comparing(run)
    comparing.find_failures()
    comparing.find_deferred()
    find_missing(comparing.classes, comparing.findings)
    # What goes first about a bit is what is said of it
    comparing.with_policy()
    if baseline:
        comparing.with_baseline(baseline)
    comparing.with_most_equals()
    return comparing.result()


class Comparing:
    """A comparison while it is made."""

    def __init__(self, run):
        self.run = run
        self.classes, self.groups = classes_of(run)
        self.held, self.known = Held(run), KnownRegisters()
        self.findings, self.notes = Findings(), collections.OrderedDict()
        self.compared = set()  # numbers of the classes for which there was something to compare with
        self.covered = collections.defaultdict(dict)  # (number of a class, address) -> {CPU: bits already compared}

    def result(self):
        """Return the Comparison."""
        for number, each in enumerate(self.classes):
            if number not in self.compared:
                self.note('Not checked: there is no equal node, policy or baseline to compare with.', each.nodes)
        findings = self.findings.ranked()
        states = self.states(findings)
        counts = collections.Counter(states.values())
        counts = {state: counts[state] for state in STATES}
        notes = list(self.notes.items())
        return Comparison(self.groups, self.classes, findings, notes, states, counts, self.known, self.held)

    def states(self, findings):
        """Return {node: state}: that of its worst finding."""
        categories = {name: set() for name in self.run.nodes}
        for finding in findings:
            for name in finding.nodes:
                categories[name].add(finding.category)
        states = {name: state_of(found) for name, found in categories.items()}
        for number, each in enumerate(self.classes):
            if number not in self.compared:
                states.update((name, 'unchecked') for name in each.nodes if states[name] == 'ok')
        return states

    def note(self, text, nodes):
        self.notes.setdefault(text, []).extend(nodes)

    def find_failures(self):
        """Nodes that could not be observed are findings, too."""
        for name, node in self.run.nodes.items():
            if node.failure:
                message = ' '.join(node.failure['message'].replace(name, 'the node').split())[:300]
                if node.failure['kind'] == 'unreachable':
                    text = message or 'no answer'
                else:
                    text = 'could not be observed: %s' % message
                self.findings.add('unreachable', 'node', None, '', [], [name], text)

    def find_deferred(self):
        """What the role could not do on a node yet is a finding, with the reason, and of many nodes the day."""
        groups = {name: each.group for each in self.classes for name in each.nodes}
        alike = collections.OrderedDict()
        for name, node in self.run.nodes.items():
            for each in node.deferred:
                key = (groups.get(name), each['what'], of_every_node(each['why']), each['since'][:10])
                alike.setdefault(key, []).append((name, each))
        for (group, what, why, since), found in alike.items():
            if len(found) == 1:
                why, since = found[0][1]['why'], found[0][1]['since']
            text = 'deferred since %s: %s (%s)' % (since, what.partition(': ')[2], why)
            self.findings.add('deferred', 'node', group, '', [], [name for name, _each in found], text)

    def with_policy(self):
        """Compare each node with the policy that is for it."""
        for number, each in enumerate(self.classes):
            if not each.policy or not each.readings:
                continue
            values = {address: self.held.on_cpus(index) for address, index in each.readings.items()}
            cpu, (online, _packages) = each.facts['cpu'], cpus_of(each.facts)
            node = Node(cpu, each.facts['cpufreq'], self.known.of(cpu), values, online)
            expected = expect(parse_policy(each.policy), node)
            for text in expected.notes:
                self.note(text, each.nodes)
            for text in expected.problems:
                self.findings.add('unread', 'policy', each.group, '', [], each.nodes, text)
            for address, wanted in sorted(expected.bits.items()):
                self.compared.add(number)
                holds = values[address]
                should = {cpu: (holds[cpu] & ~mask) | bits for cpu, (bits, mask) in wanted.items()}
                self.add(each, self.known.at(cpu, address), should, holds, 'policy', MAX_MASK)
                self.cover(number, address, {cpu: mask for cpu, (_bits, mask) in wanted.items()})

    def with_baseline(self, baseline):
        """Compare each node with itself in an earlier run."""
        earlier = Held(baseline)
        for number, each in enumerate(self.classes):
            for registers, names in nodes_by_registers(each.nodes, baseline).items():
                self.compared.add(number)
                for index in unfold_indexes(registers):
                    address = int(baseline.readings[index][0], 16)
                    register = self.known.at(each.facts['cpu'], address)
                    mask, mine = self.known.mask(register), each.readings.get(address)
                    if mine is None or earlier.key(index, mask) == self.held.key(mine, mask):
                        continue
                    should, holds = earlier.on_cpus(index), self.held.on_cpus(mine)
                    uncovered = without_bits(mask, self.covered[number, address])
                    self.add(each._replace(nodes=names), register, should, holds, 'baseline', mask, uncovered)
                    self.cover(number, address, differing_bits(should, holds))

    def with_most_equals(self):
        """Compare the nodes of each group with what most of them have."""
        for group in self.groups:
            members = [number for number, each in enumerate(self.classes) if each.group == group.number]
            classes = [self.classes[number] for number in members]
            compare_facts(classes, self.findings)
            for address in sorted({address for each in classes for address in each.readings}):
                self.with_majority(members, address)
            if sum(len(each.nodes) for each in classes) > 1:
                self.compared.update(members)

    def with_majority(self, members, address):
        """Compare a register of equal nodes (numbers of their classes) with what most of them hold."""
        register = self.known.at(self.classes[members[0]].facts['cpu'], address)
        mask = self.known.mask(register)
        holders = collections.OrderedDict()
        for number in members:
            if mask and address in self.classes[number].readings:
                key = self.held.key(self.classes[number].readings[address], mask)
                holders.setdefault(key, []).append(number)
        if len(holders) < 2:
            return
        weights = {key: sum(len(self.classes[number].nodes) for number in holders[key]) for key in holders}
        most = max(holders, key=weights.get)
        source = 'majority' if 2 * weights[most] > sum(weights.values()) else 'split'
        should = self.held.on_cpus(self.classes[holders[most][0]].readings[address])
        others = [name for number in holders[most] for name in self.classes[number].nodes]
        for key, numbers in holders.items():
            for number in numbers if key != most else ():
                each = self.classes[number]
                holds = self.held.on_cpus(each.readings[address])
                uncovered = without_bits(mask, self.covered[number, address])
                self.add(each, register, should, holds, source, mask, uncovered, others)

    def cover(self, number, address, bits):
        """Remember which bits of a register of a class were compared: {CPU: mask}."""
        covered = self.covered[number, address]
        for cpu, mask in bits.items():
            covered[cpu] = covered.get(cpu, 0) | mask

    def add(self, each, register, should, holds, source, mask, masks=None, others=()):
        """Add the finding of what a register should hold and holds, {CPU: value or error} each, where it differs.

        mask: the bits that count; masks: {CPU: mask} where fewer do. others: the
        nodes that hold what it should, where there is no majority.
        """
        alike = self.alike(each, register, should, holds, mask, masks or {})
        if not alike:
            return
        changes, numbers = spell_differences(register, alike, each.facts)
        title, nodes, text = register_title(register), each.nodes, None
        if source == 'split':
            nodes, text = [*each.nodes, *others], '%s: %s' % (title, spell_sides(changes, others, each.nodes))
        category = category_of_register(register, numbers) if numbers else 'unread'
        said = title_of_change(register, numbers) if numbers else ''
        self.findings.add(category, source, each.group, title, changes, nodes, text, said)

    def alike(self, each, register, should, holds, mask, masks):
        """Return {(should, holds, context): [CPU]} of the CPUs on which a register differs."""
        needed = self.known.units_of(each.facts['cpu'], register.address)
        units = [(other, self.held.on_cpus(each.readings[other])) for other in needed if other in each.readings]
        alike = collections.OrderedDict()
        for cpu in sorted(set(should) & set(holds)):
            counts = masks.get(cpu, mask)
            pair = tuple(value & counts if isinstance(value, int) else value for value in (should[cpu], holds[cpu]))
            if pair[0] != pair[1] and counts:
                context = tuple((other, of_cpu[cpu]) for other, of_cpu in units if isinstance(of_cpu.get(cpu), int))
                alike.setdefault((*pair, context), []).append(cpu)
        return alike


def nodes_by_registers(names, baseline):
    """Return {registers of an earlier run: [name]} of those nodes that it observed."""
    alike = collections.OrderedDict()
    for name in names:
        before = baseline.nodes.get(name)
        if before is not None and before.failure is None:
            alike.setdefault(before.registers, []).append(name)
    return alike


def without_bits(mask, covered):
    """Return {CPU: the bits of a mask that are not covered on it}."""
    return {cpu: mask & ~bits for cpu, bits in covered.items()}


def differing_bits(should, holds):
    """Return {CPU: the bits in which two values differ}; all, where one could not be read."""
    bits = {}
    for cpu in set(should) & set(holds):
        both = isinstance(should[cpu], int) and isinstance(holds[cpu], int)
        bits[cpu] = should[cpu] ^ holds[cpu] if both else MAX_MASK
    return bits


def spell_differences(register, alike, facts):
    """Return ([[what, should be, is, CPUs in words]], {field: its two numbers}) of what Comparing.alike returned."""
    online, packages = cpus_of(facts)
    changes, numbers = [], {}
    for (should, holds, context), cpus in alike.items():
        words = spell_cpus(cpus, packages, online)
        if isinstance(should, int) and isinstance(holds, int):
            numbers.update(changed_numbers(register, should, holds))
            for what, before, after in changed_bits(register, should, holds, dict(context)):
                changes.append([what, before, after, words])
        else:
            changes.append(['', spell_reading(should), spell_reading(holds), words])
    return changes, numbers


def spell_sides(changes, others, nodes):
    """Return where nodes do not agree: ``PL1_POWER_LIMIT is 205 W on n1, 165 W on n2``."""
    return ', '.join(
        '%s%s is %s on %s, %s on %s'
        % (what, ' on ' + cpus if cpus else '', should, fold_names(others), holds, fold_names(nodes))
        for what, should, holds, cpus in changes[:2]
    )


def spell_reading(value):
    return 'readable' if isinstance(value, int) else value


def register_title(register):
    return register.name or '0x%X' % register.address
