# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A value as people write it: ``205 W``, ``2.4 GHz``, ``80 %``, ``off``, ``performance``."""

import collections
import re

from ..errors import MsrSafeError

Value = collections.namedtuple('Value', 'kind amount text')
Value.__doc__ = """kind: a quantity of units.WORDS (watts, hertz, seconds …), 'percent', 'switch' (amount is 1 or 0),
'number', or 'word' (amount is None); text: as it was written."""

# Symbol -> (quantity, how much of it)
SYMBOLS = {
    'W': ('watts', 1),
    'mW': ('watts', 1e-3),
    'kW': ('watts', 1e3),
    'Hz': ('hertz', 1),
    'kHz': ('hertz', 1e3),
    'MHz': ('hertz', 1e6),
    'GHz': ('hertz', 1e9),
    's': ('seconds', 1),
    'ms': ('seconds', 1e-3),
    'J': ('joules', 1),
    '%': ('percent', 1),
}
# No register holds more; some Pythons refuse to convert thousands of digits.
AMOUNT = re.compile(r'([0-9]{1,20}(?:\.[0-9]+)?)\s*([A-Za-z%]*)\Z')
HEXADECIMAL = re.compile(r'0[xX][0-9a-fA-F]{1,16}\Z')
WORD = re.compile(r'[a-z][a-z_]*\Z')
SWITCH = {'on': 1, 'true': 1, 'yes': 1, 'off': 0, 'false': 0, 'no': 0}


def parse_value(given, where):
    """Return the Value of what a statement says: a text, a number or a boolean. ``where`` begins the error.

    YAML reads ``on`` and ``off`` as booleans. Raises MsrSafeError.
    """
    if isinstance(given, bool):
        return Value('switch', int(given), 'on' if given else 'off')
    text = str(given).strip()
    if text.lower() in SWITCH:
        return Value('switch', SWITCH[text.lower()], text.lower())
    if HEXADECIMAL.match(text):
        return Value('number', int(text, 16), text)
    match = AMOUNT.match(text)
    if match and not match.group(2):
        return Value('number', float(text) if '.' in text else int(text), text)
    if match and match.group(2) in SYMBOLS:
        quantity, size = SYMBOLS[match.group(2)]
        return Value(quantity, float(match.group(1)) * size, text)
    if WORD.match(text):
        return Value('word', None, text)
    raise MsrSafeError(
        '%s %r is not a value.' % (where, given),
        'Write an amount with its unit (%s), a number, on, or off.' % ', '.join(SYMBOLS),
    )
