# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The approved list: which registers may be read, and which of their bits written."""

import collections
import hashlib
import re

from ..errors import MsrSafeError
from ..numbers import MAX_ADDRESS, MAX_MASK, parse_literal
from ..registers.register import near_words, short_name

# governed: configuration that the kernel itself rewrites while it manages frequencies.
KINDS = ('configuration', 'counter', 'status', 'governed')

Entry = collections.namedtuple('Entry', 'address mask name kind line')
Entry.__doc__ = """One register of a list.

address: int below 2**32; mask: int below 2**64, the bits a write may change;
name: the manual's name or ''; kind: one of KINDS; line: its line in the text
it was parsed from, or None.
"""

# What stands between blanks. The kernel module knows these only; Python's split knows more.
WORD = re.compile(r'[^ \t\r\v\f]+')
# The comment of an entry: the register's name, in quotes, brackets or not, then its kind unless it is configuration.
# A word without an underscore is a name where nothing follows, one in small letters where its prefix says so: prose
# begins with capitals, too.
COMMENT = re.compile(
    r"""[\s#*/"'`(\[<\u201c\u2018-]*"""
    r'(?P<name>[A-Z][A-Z0-9]*_[A-Z0-9_]+|(?i:s?(?:msr|ia32)_)[A-Za-z0-9_]+|'
    r'[A-Z][A-Z0-9]{2,}(?=%(close)s\s*(?:\(|\Z)))%(close)s'
    r'(?:\s*\((?P<kind>(?i:%(kinds)s))\))?(?=[\s,;:.]|\Z)'
    % {'close': r"""["'`)\]>\u201d\u2019]*""", 'kinds': '|'.join(KINDS[1:])},
)

EXAMPLE = 'Write for example: 0x000001A0 0x0000004000000000 # IA32_MISC_ENABLE'


def parse_list(text, source):
    """Return the entries of an approved list's text, in its order.

    The format is that of /dev/cpu/msr_approved_list: ``address mask # comment``.
    A comment that begins with a name gives the register's name, and one that
    goes on with ``(counter)`` and so on its kind. ``source`` names the text in
    errors. Raises MsrSafeError with ``source:line`` on what the kernel module
    would refuse: a malformed line, an address above 32 bits, a mask above 64,
    a duplicate address, text without an entry. White space only is the empty
    list.
    """
    entries, errors = parse_lines(text, source)
    if not entries and not errors and text.strip():
        errors = [
            MsrSafeError(
                '%s: the list has comments but no register.' % source,
                'Remove the # in front of the registers to approve; an empty file clears the list.',
            )
        ]
    raise_all(errors)
    return entries


def raise_all(errors):
    """Raise, where there are errors, the first of them, with the others below it."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        others = ''.join('\n%s' % error for error in errors[1:])
        raise MsrSafeError(errors[0].problem, (errors[0].remedy or '') + others)


def read_list(machine, path):
    """Return the entries of the list in a file. Raises MsrSafeError, also where there is no file."""
    return parse_list(read_list_text(machine, path), path)


def read_list_text(machine, path):
    """Return the text of a file that is to hold a list. Raises MsrSafeError where there is none."""
    content = machine.read(path)
    if content is None:
        raise MsrSafeError('There is no approved list at %s.' % path, 'Check the path, and what it links to.')
    return content.decode('utf-8', 'replace')


def parse_entries(text, source):
    """Return the entries of a text that may have none, as the device's own. Raises MsrSafeError."""
    entries, errors = parse_lines(text, source)
    raise_all(errors)
    return entries


def parse_lines(text, source):
    """Return (entries, MsrSafeErrors) of a text: what its good lines say, and what is wrong with the others."""
    entries, errors = [], []
    line_of = {}
    for number, line in enumerate(text.split('\n'), 1):
        content, _dummy, comment = line.partition('#')
        words = WORD.findall(content)
        if words:
            try:
                address, mask = parse_words(words, line_of, '%s:%d: ' % (source, number))
            except MsrSafeError as error:
                errors.append(error)
                continue
            line_of[address] = number
            name, kind = parse_comment(comment)
            entries.append(Entry(address, mask, name, kind, number))
    return entries, errors


def parse_words(words, line_of, where):
    """Return (address, mask) of the words of a line. ``line_of`` says on which line an address is already.

    Looks at them from left to right, as the kernel module does.
    """
    address = parse_literal(words[0], MAX_ADDRESS, where + 'address')
    if len(words) == 1:
        raise MsrSafeError('%sthere is no write mask after the address.' % where, EXAMPLE)
    if address in line_of:
        raise MsrSafeError(
            '%sregister 0x%08X is already on line %d.' % (where, address, line_of[address]),
            'Keep one of the two lines.',
        )
    mask = parse_literal(words[1], MAX_MASK, where + 'write mask')
    if len(words) > 2:
        raise MsrSafeError('%sthere is %r after the write mask.' % (where, words[2]), EXAMPLE)
    return address, mask


def parse_comment(comment):
    """Return (name, kind) from an entry's comment."""
    match = COMMENT.match(comment)
    if not match:
        return '', 'configuration'
    return match.group('name').upper(), (match.group('kind') or 'configuration').lower()


def render_list(entries, header=()):
    """Return the text of a list: header lines as comments, then entries by address."""
    lines = ['# ' + line if line else '#' for line in header]
    lines.extend(render_entry(entry) for entry in sorted(entries))
    return '\n'.join(lines) + '\n'


def render_entry(entry):
    """Return an entry's line: ``0x000000C1 0xFFFFFFFFFFFFFFFF # IA32_PMC0 (counter)``."""
    line = '0x%08X 0x%016X' % (entry.address, entry.mask)
    if entry.name:
        line += ' # ' + entry.name
        if entry.kind != 'configuration':
            line += ' (%s)' % entry.kind
    return line


def digest_list(entries):
    """Return the sha256 (hex) of what a list approves, names and comments aside."""
    text = ''.join('0x%08X 0x%016X\n' % (entry.address, entry.mask) for entry in sorted(entries))
    return hashlib.sha256(text.encode('ascii')).hexdigest()


def apply_overrides(entries, overrides, named=(), elsewhere=None):
    """Return (entries, names unknown here) after a site's overrides.

    Each override is ``{'address': int or str or None, 'register': str or None,
    'write_mask': int or str or None, 'state': 'present' or 'absent', 'comment':
    str or None}``. A register's name, with or without its IA32_ or MSR_ prefix,
    is looked up in ``entries``, then in ``named``: what else this CPU is known to
    have, with address and name. A name that it does not have is returned, not an
    error, so that one set of overrides serves a mixed fleet. But not where it
    closes something: elsewhere is {short name: addresses} of the registers of
    all CPUs, and what one of them means may be on this list, under no name.
    Raises MsrSafeError for that, and for an override that means nothing anywhere.
    """
    by_address = collections.OrderedDict((entry.address, entry) for entry in sorted(entries))
    unknown = []
    for number, override in enumerate(overrides, 1):
        where = 'override %d: ' % number
        address = override_address(override, (by_address.values(), named), where)
        if address is None and elsewhere is not None:
            require_name_of_some_cpu(override['register'], elsewhere, where)
            require_nothing_to_close(override, by_address, elsewhere, where)
        if address is None:
            unknown.append(override['register'])
        elif override.get('state', 'present') == 'absent':
            by_address.pop(address, None)
        else:
            by_address[address] = override_entry(override, address, by_address.get(address), where)
    return sorted(by_address.values()), unknown


def require_name_of_some_cpu(name, elsewhere, where):
    """Raise MsrSafeError for a name that no CPU has: it would close nothing, on no node."""
    if short_name(name) in elsewhere:
        return
    near = near_words(short_name(name), elsewhere)
    if name[:1].isdigit():
        remedy = 'Write address: %s, in quotes.' % name
    else:
        remedy = 'Did you mean %s?' % ' or '.join(near) if near else 'Give its address.'
    raise MsrSafeError('%sno CPU is known to have a register %s.' % (where, name), remedy)


def require_nothing_to_close(override, by_address, elsewhere, where):
    """Raise MsrSafeError where an override of a name that this CPU lacks would close what is on the list."""
    name = override['register']
    mask = override.get('write_mask')
    for address in sorted(elsewhere.get(short_name(name), ())):
        entry = by_address.get(address)
        is_absent = override.get('state', 'present') == 'absent'
        if entry and (
            is_absent or (mask is not None and entry.mask & ~parse_literal(str(mask), MAX_MASK, where + 'write_mask'))
        ):
            raise MsrSafeError(
                '%sthis CPU is not known to have a register %s, but 0x%08X, where other CPUs have it, is on the list.'
                % (where, name, address),
                'Give the address instead of the name, so that it is closed for certain.',
            )


def override_address(override, tables, where):
    """Return the address an override is about, or None for a name in none of the tables."""
    name = override.get('register')
    if override.get('address') is not None:
        address = parse_literal(str(override['address']), MAX_ADDRESS, where + 'address')
        require_one_register(address, name, tables, where)
        return address
    if not name:
        raise MsrSafeError(where + 'neither register nor address is given.', 'Name the register, or give its address.')
    for table in tables:
        matches = sorted({each.address for each in table if each.name and short_name(each.name) == short_name(name)})
        if len(matches) > 1:
            raise MsrSafeError(
                '%s%s means several registers: %s.'
                % (where, name, ', '.join('0x%08X' % address for address in matches)),
                'Give the address instead.',
            )
        if matches:
            return matches[0]
    return None


def require_one_register(address, name, tables, where):
    """Raise MsrSafeError where a name beside an address is that of another register: one would stay as it is."""
    named = {
        each.address
        for table in tables
        for each in table
        if each.name and short_name(each.name) == short_name(name or '')
    }
    if named and address not in named:
        raise MsrSafeError(
            '%sthe register %s is at %s, and the address says 0x%08X.'
            % (where, name, ', '.join('0x%08X' % each for each in sorted(named)), address),
            'Give one of the two. A number without 0x is decimal.',
        )


def closing_nothing(entries, overrides):
    """Return the addresses, as texts, that overrides take off the list, and that are neither on it nor put there."""
    absent, present = set(), {entry.address for entry in entries}
    for override in overrides:
        if override.get('address') is not None:
            address = parse_literal(str(override['address']), MAX_ADDRESS, 'address')
            (absent if override.get('state', 'present') == 'absent' else present).add(address)
    return ['0x%08X' % address for address in sorted(absent - present)]


def override_entry(override, address, before, where):
    """Return the entry that an override of state present makes of ``before`` (or None)."""
    mask = override.get('write_mask')
    if mask is None and before is None:
        raise MsrSafeError(
            '%s0x%08X is not on the list and has no write_mask.' % (where, address),
            'Give write_mask: 0 to approve reading only.',
        )
    entry = before or Entry(address, 0, '', 'configuration', None)
    if mask is not None:
        entry = entry._replace(mask=parse_literal(str(mask), MAX_MASK, where + 'write_mask'))
    # Beside an address, a name is what the register is to be called.
    named = override.get('register') if before is None and override.get('address') is not None else None
    name, kind = parse_comment(override.get('comment') or named or '')
    if name:
        entry = entry._replace(name=name, kind=kind)
    return entry
