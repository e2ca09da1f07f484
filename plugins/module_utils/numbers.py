# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Numbers as people and the kernel module write them: C integer literals."""

import re

from .errors import MsrSafeError

MAX_ADDRESS = (1 << 32) - 1
MAX_MASK = (1 << 64) - 1

# A C integer literal (C11 6.4.4.1, without suffixes), as the kernel module reads it.
LITERAL = re.compile(r'0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*')


def parse_literal(text, maximum, where):
    """Return the value of a C integer literal. ``where`` begins the error."""
    match = LITERAL.match(text)
    digits = match.group() if match else ''
    is_octal = digits.startswith('0') and digits.isdigit()
    # Longer ones are too wide anyway, and some Pythons refuse to convert them.
    too_long = not is_octal and digits.isdigit() and len(digits) > 20
    value = 0 if too_long or not digits else int(digits, 8 if is_octal else 0)
    if too_long or value > MAX_MASK or (digits == text and value > maximum):
        raise MsrSafeError('%s %s is wider than %d bits.' % (where, text, maximum.bit_length()))
    if not digits or digits != text:
        raise MsrSafeError(
            '%s %r is not a number.' % (where, text),
            'Write it as 0x… (hexadecimal) or decimal.',
        )
    return value
