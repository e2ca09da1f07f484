# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The generated tables of docs/approved-lists.md: coverage, and deviations from the seed lists."""

import re

from model import LISTS, SOURCE, TIERS, entries_in, family_and_model, load_yaml

DOCUMENT = LISTS.parent / 'docs' / 'approved-lists.md'

# <!-- coverage: generated --> … <!-- end of coverage -->
TABLE = r'(<!-- %s: generated -->\n).*?(<!-- end of %s -->)'


def render_document(cpus):
    """Return the text of the document with its tables as the source has them."""
    text = DOCUMENT.read_text(encoding='utf-8')
    text = replace_table(text, 'coverage', coverage_table(cpus))
    return replace_table(text, 'deviations', deviation_table(load_deviations()))


def replace_table(text, name, table):
    """Return a document's text with one table replaced."""
    return re.sub(TABLE % (name, name), lambda match: match.group(1) + table + match.group(2), text, flags=re.DOTALL)


def coverage_table(cpus):
    """Return which CPUs there are, with registers and writable ones in each tier."""
    rows = [['list', 'CPU', 'products', 'family, model', *TIERS]]
    rows += [
        [
            '`%s`' % cpu.signature,
            cpu.name,
            cpu.products,
            '%d, %d' % family_and_model(cpu.signature),
            *(count_entries(entries_in(cpu, tier)) for tier in TIERS),
        ]
        for cpu in cpus
    ]
    return markdown_table(rows)


def count_entries(entries):
    """Return how many registers a list has, and how many of them can be written: ``412 / 280``."""
    return '%d / %d' % (len(entries), sum(1 for entry in entries if entry.mask))


def load_deviations():
    """Return where the tier power departs from the seed lists, and why."""
    return load_yaml(SOURCE / 'deviations.yml')


def deviation_table(deviations):
    """Return where and why the tier power departs from the seed lists."""
    rows = [['seed lists', 'registers', 'seed mask', 'here', 'why']]
    rows += [
        [
            ', '.join(deviation['lists']),
            '%s %s' % (spell_addresses(deviation), deviation['name']),
            spell_mask(deviation['seed']),
            spell_mask(deviation['ours']),
            deviation['why'],
        ]
        for deviation in deviations
    ]
    return markdown_table(rows)


def addresses_of(deviation):
    """Return the addresses that a deviation is about."""
    if 'step' not in deviation:
        return list(range(deviation['first'], deviation.get('last', deviation['first']) + 1))
    base, stride, boxes = deviation['step']
    return [base + box * stride + offset for box in range(boxes) for offset in deviation['offsets']]


def spell_addresses(deviation):
    """Return the addresses of a deviation: ``186-18D``, or ``E01-FB4`` of boxes."""
    addresses = addresses_of(deviation)
    return '%X' % addresses[0] if len(addresses) == 1 else '%X-%X' % (addresses[0], addresses[-1])


def spell_mask(mask):
    """Return a mask in words: ``0x222``, read only, not listed, or as the YAML says it."""
    if isinstance(mask, int):
        return '`0x%X`' % mask if mask else 'read only'
    return mask or 'not listed'


def markdown_table(rows):
    """Return rows as a Markdown table, the first one as its head."""
    lines = ['| %s |' % ' | '.join(row) for row in rows]
    return '\n'.join([lines[0], '|' + '---|' * len(rows[0]), *lines[1:]]) + '\n'
