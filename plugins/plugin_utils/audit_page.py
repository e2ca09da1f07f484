# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The page of an audit: one HTML file that needs nothing else, from the templates in files/audit."""

from __future__ import annotations

import base64
import hashlib
import json
import pathlib

import jinja2

from ..module_utils.audit.category import BY_NAME, STATES
from ..module_utils.audit.classes import cpus_of, group_key
from ..module_utils.audit.facts import FACTS
from ..module_utils.audit.finding import SOURCES
from ..module_utils.audit.indexes import fold_indexes
from ..module_utils.audit.nodeset import fold_names, natural
from ..module_utils.audit.summary import TITLES, headline, repairs
from ..module_utils.audit.words import spell_cpus, spell_field
from ..module_utils.registers.register import decode

# Playbook -> what it does about nodes that drifted
REPAIRS = {'site': 'Bring back by the role', 'restore': 'Bring back from a snapshot'}

TEMPLATES = pathlib.Path(__file__).parents[2] / 'files' / 'audit'

# What registers hold is left out of the page beyond so much, that of nodes in order first; findings never are.
ROOM_FOR_READINGS = 2_500_000

# Findings of a category that are listed; the search finds the nodes of all of them
MOST_FINDINGS = 100

# Sets of nodes that the table of registers shows
MOST_ROWS = 300

WIDTH = 1120  # of the map, in its own units


def render_page(comparison, run, history, earlier=None, title='Audit', files=None):
    """Return the page's HTML.

    history: [Moment], the oldest first, this run last. earlier: the Run before,
    which tells where nodes that do not answer belong, or None. files: {'limit': path or None}.
    """
    page = Page(comparison, run, history, earlier)
    styles, script = ((TEMPLATES / name).read_text(encoding='utf-8') for name in ('page.css', 'page.js'))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters['folded'] = fold_names
    environment.filters['thousands'] = '{:,}'.format
    return environment.get_template('page.html.j2').render(
        title=title,
        headline=headline(comparison, run).partition(' (')[0],
        run=run,
        counts=comparison.counts,
        total=len(comparison.states),
        states=[state for state in reversed(STATES) if comparison.counts[state]],
        titles=TITLES,
        categories=page.categories(),
        notes=comparison.notes,
        maps=page.maps(),
        groups=page.groups(),
        heat=page.heat(),
        history=page.history_bars(),
        repairs=[(REPAIRS[name], command) for name, command in repairs(comparison, files or {})],
        styles=styles,
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=embed(page.data()),
    )


def embed(data):
    """Return data as JSON that may stand in an HTML page."""
    text = json.dumps(data, separators=(',', ':'), ensure_ascii=False)
    return text.replace('<', '\\u003c').replace('\u2028', '\\u2028').replace('\u2029', '\\u2029')


class Page:
    """What the page shows, worked out from a Comparison."""

    def __init__(self, comparison, run, history, earlier):
        self.comparison, self.run, self.history = comparison, run, history
        self.class_of = {name: each for each in comparison.classes for name in each.nodes}
        self.findings_of = {}
        for number, finding in enumerate(comparison.findings):
            for name in finding.nodes:
                self.findings_of.setdefault(name, []).append(number)
        self.group_of = {name: each.group for name, each in self.class_of.items()}
        self.place_silent_nodes(earlier)
        self.nodes = sorted(comparison.states, key=lambda name: (self.group_order(name), natural(name)))
        self.number_of = {name: number for number, name in enumerate(self.nodes)}

    def place_silent_nodes(self, earlier):
        """Put nodes that could not be observed into the group in which an earlier run found them."""
        numbers = {group.key: group.number for group in self.comparison.groups}
        for name in self.comparison.states:
            node = earlier.nodes.get(name) if earlier and name not in self.group_of else None
            if node and node.failure is None:
                number = numbers.get(group_key(earlier.facts[node.facts], node.equal))
                if number is not None:
                    self.group_of[name] = number

    def group_order(self, name):
        return self.group_of.get(name, len(self.comparison.groups))

    def group_titles(self):
        return [group.title for group in self.comparison.groups] + ['Nodes never observed']

    # Findings

    def categories(self):
        """Return the findings by category, with numbers by which the script knows them."""
        shown = {}
        for number, finding in enumerate(self.comparison.findings):
            shown.setdefault(finding.category, []).append(
                {
                    'number': number,
                    'finding': finding,
                    'folded': fold_names(finding.nodes),
                    'text': without_subject(finding),
                    'source': SOURCES[finding.source],
                    'group': '' if finding.group is None else self.comparison.groups[finding.group].title,
                }
            )
        return [
            {
                'category': BY_NAME[name],
                'findings': findings[:MOST_FINDINGS],
                'more': max(0, len(findings) - MOST_FINDINGS),
            }
            for name, findings in shown.items()
        ]

    # The map

    def maps(self):
        """Return a map for each group: nodes in order as cells, those that are ok in one path."""
        members = {}
        for name in self.nodes:
            members.setdefault(self.group_order(name), []).append(name)
        titles = self.group_titles()
        return [self.draw_map(titles[number], names) for number, names in sorted(members.items())]

    def draw_map(self, title, names):
        cell = cell_of(len(self.nodes))
        columns = max(1, int(WIDTH // cell['pitch']))
        rows = -(-len(names) // columns)
        fine, others = [], []
        for index, name in enumerate(names):
            state = self.comparison.states[name]
            x, y = index % columns * cell['pitch'], index // columns * cell['height']
            if state == 'ok' and not cell['named']:
                fine.append(f'M{x} {y}h{cell["size"]}v{cell["size"]}h-{cell["size"]}z')
            else:
                others.append({'name': name, 'state': state, 'x': x, 'y': y})
        return {
            'title': title,
            'count': len(names),
            'off': len([name for name in names if self.comparison.states[name] not in ('ok',)]),
            'first': self.number_of[names[0]],
            'columns': columns,
            'cell': cell,
            'width': WIDTH,
            'height': rows * cell['height'],
            'fine': ''.join(fine),
            'others': others,
        }

    # Groups side by side

    def groups(self):
        """Return the groups' columns: what most of their nodes have, and how many have something else."""
        columns = []
        for group in self.comparison.groups:
            members = [each for each in self.comparison.classes if each.group == group.number]
            nodes = [name for name, number in self.group_of.items() if number == group.number]
            facts = []
            for _category, spell in FACTS.values():
                weights = {}
                for each in members:
                    text = spell(each.facts)
                    if text is not None:
                        weights[text] = weights.get(text, 0) + len(each.nodes)
                most = max(weights, key=weights.get) if weights else None
                facts.append({'text': most or 'none', 'others': sum(weights.values()) - weights.get(most, 0)})
            columns.append(
                {
                    'title': group.title,
                    'count': len(nodes),
                    'off': len([name for name in nodes if self.comparison.states[name] != 'ok']),
                    'facts': facts,
                }
            )
        return {'rows': list(FACTS), 'columns': columns}

    # Registers and nodes

    def heat(self):
        """Return the table of what differs: sets of nodes that differ alike, and the things in which they do."""
        findings = self.comparison.findings
        columns = list(dict.fromkeys(column for finding in findings for column in columns_of(finding)))
        alike = {}
        for name, numbers in self.findings_of.items():
            shown = tuple(number for number in numbers if findings[number].changes)
            if shown:
                alike.setdefault((self.group_order(name), shown), []).append(name)
        rows = []
        for (group, numbers), names in sorted(alike.items(), key=lambda item: (item[0][0], item[0][1][0])):
            cells = {}
            for number in numbers:
                for column, change in columns_of(findings[number]).items():
                    cells[column] = heat_cell(findings[number], change)
            rows.append(
                {
                    'group': group,
                    'title': self.group_titles()[group],
                    'count': len(names),
                    'folded': fold_names(names),
                    'findings': numbers,
                    'cells': [cells.get(column) for column in columns],
                }
            )
        compared = {
            address
            for each in self.comparison.classes
            for address in each.readings
            if self.comparison.registers.mask(self.comparison.registers.at(each.facts['cpu'], address))
        }
        differing = {subject for subject, _what in columns if subject not in FACTS}
        return {
            'columns': columns,
            'rows': rows[:MOST_ROWS],
            'most': self.most(columns),
            'more': max(0, len(rows) - MOST_ROWS),
            'fine': self.comparison.counts['ok'],
            'equal': max(0, len(compared) - len(differing)),
        }

    def most(self, columns):
        """Return, for each group, what its nodes should hold in each column, or None."""
        expected = {}
        for finding in self.comparison.findings:
            if finding.group is not None and not is_plain(finding):
                for column, change in columns_of(finding).items():
                    expected.setdefault((finding.group, column), change[1])
        rows = [
            [expected.get((number, column)) for column in columns] for number in range(len(self.comparison.groups) + 1)
        ]
        return [row if any(row) else None for row in rows]

    # History

    def history_bars(self):
        """Return a bar for each run: the nodes that were not ok, by state, in hundredths of the highest bar."""
        off = [sum(count for state, count in moment.counts.items() if state != 'ok') for moment in self.history]
        bars = []
        for moment, count in zip(self.history, off):
            parts, bottom = [], 100.0
            for state in STATES[:-1]:
                height = 100 * moment.counts[state] / max(1, *off)
                bottom -= height
                if height:
                    parts.append({'state': state, 'y': round(bottom, 2), 'height': round(height, 2)})
            bars.append({'time': moment.time, 'parts': parts, 'off': count, 'total': sum(moment.counts.values())})
        return bars

    # What the script works with

    def data(self):
        """Return the data of the page's script: lists rather than objects, as there are many nodes."""
        classes = self.comparison.classes
        number_of_class = {id(each): number for number, each in enumerate(classes)}
        return {
            'states': list(STATES),
            'titles': TITLES,
            'groups': self.group_titles(),
            'subjects': list(FACTS),
            'nodes': [
                [
                    name,
                    self.group_order(name),
                    STATES.index(self.comparison.states[name]),
                    number_of_class[id(self.class_of[name])] if name in self.class_of else -1,
                    self.findings_of.get(name, []),
                ]
                for name in self.nodes
            ],
            'findings': [
                [
                    BY_NAME[finding.category].title,
                    SOURCES[finding.source],
                    finding.subject,
                    finding.text,
                    finding.changes,
                    BY_NAME[finding.category].state,
                    int(is_plain(finding)),
                    finding.title,
                ]
                for finding in self.comparison.findings
            ],
            'facts': [[spell(each.facts) for _category, spell in FACTS.values()] for each in classes],
            **self.readings(),
            'runs': [moment.time for moment in self.history],
            'past': self.past(),
        }

    def readings(self):
        """Return what registers hold, decoded once, and which of them each class has, as long as there is room."""
        rows, numbers, used = [], {}, 0
        order = sorted(
            range(len(self.comparison.classes)),
            key=lambda number: all(
                self.comparison.states[name] == 'ok' for name in self.comparison.classes[number].nodes
            ),
        )
        kept = {}
        for number in order:
            each = self.comparison.classes[number]
            keys = [(address, (index, self.context(each, address))) for address, index in sorted(each.readings.items())]
            new = {key: address for address, key in keys if key not in numbers}
            described = [self.describe_reading(each, address, *key) for key, address in new.items()]
            size = sum(len(json.dumps(row)) for row in described)
            if used + size > ROOM_FOR_READINGS:
                continue
            used += size
            for key, row in zip(new, described):
                numbers[key] = len(rows)
                rows.append(row)
            kept[number] = fold_indexes(numbers[key] for _address, key in keys)
        of_class = [kept.get(number) for number in range(len(self.comparison.classes))]
        return {'readings': rows, 'registers': of_class}

    def context(self, each, address):
        """Return the readings that tell the units of a register on the nodes of a class."""
        needed = self.comparison.registers.units_of(each.facts['cpu'], address)
        return tuple((other, each.readings[other]) for other in needed if other in each.readings)

    def describe_reading(self, each, address, index, context):
        """Return [register, address, [[value, CPUs in words, its fields in words]]]."""
        register = self.comparison.registers.at(each.facts['cpu'], address)
        online, packages = cpus_of(each.facts)
        held = [(other, self.comparison.held.on_cpus(number)) for other, number in context]
        alike = {}
        for cpu, value in self.comparison.held.on_cpus(index).items():
            units = tuple((other, of_cpu[cpu]) for other, of_cpu in held if isinstance(of_cpu.get(cpu), int))
            alike.setdefault((value, units), []).append(cpu)
        rows = []
        for (value, units), cpus in alike.items():
            words = spell_cpus(cpus, packages, online)
            if isinstance(value, int):
                fields = [f'{field.name} {spell_field(field)}' for field in decode(register, value, dict(units))]
                rows.append([f'0x{value:016x}', words, ', '.join(fields)])
            else:
                rows.append([value, words, ''])
        return [register.name, f'0x{address:X}', rows]

    def past(self):
        """Return {node: the states of past runs, a digit each} of nodes that were not always ok."""
        names = {name for moment in self.history for name in moment.states} & set(self.comparison.states)
        return {
            name: ''.join(str(STATES.index(moment.states.get(name, 'ok'))) for moment in self.history)
            for name in sorted(names)
        }


def cell_of(count):
    """Return the measures of a node's cell in a map of so many."""
    if count <= 60:
        return {'pitch': 160, 'height': 52, 'size': 44, 'width': 150, 'named': True}
    pitch = 20 if count <= 400 else 16 if count <= 1200 else 11.2
    size = round(pitch * 0.82, 1)
    return {'pitch': pitch, 'height': pitch, 'size': size, 'width': size, 'named': False}


def is_plain(finding):
    """Return whether a finding is told by its text alone, as it has no one value that is expected."""
    return finding.source == 'split' or not finding.changes


def without_subject(finding):
    """Return the text of a finding whose subject stands above it."""
    head = f'{finding.subject}: '
    return finding.text[len(head) :] if finding.subject and finding.text.startswith(head) else finding.text


def columns_of(finding):
    """Return {(subject, what): change} of a finding: the first change of each thing that differs."""
    columns = {}
    for change in finding.changes:
        columns.setdefault((finding.subject, change[0]), change)
    return columns


def heat_cell(finding, change):
    """Return a cell: the state, what the nodes hold, on which CPUs, and all of it in words."""
    _what, should, holds, cpus = change
    return {
        'state': BY_NAME[finding.category].state,
        'short': f'{should} / {holds}' if finding.source == 'split' else holds,
        'cpus': cpus,
        'text': finding.text,
    }
