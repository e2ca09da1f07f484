# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Units: what the number in a field means, in watts, joules, seconds, hertz and degrees Celsius.

Some numbers mean nothing alone: the CPU tells the size of its power, energy and
time units, and the temperature at which it throttles, in registers of its own.
A context is those registers as they were read on the same CPU: {address: value}.
"""

import re

from ..errors import MsrSafeError

# Where a CPU tells its power, energy and time units: Intel's and AMD's, fields alike.
RAPL_UNITS = (0x606, 0xC0010299)
TEMPERATURE_TARGET = (0x1A2,)

# What people write -> (quantity, how much of it).
WORDS = {
    'watts': ('watts', 1),
    'milliwatts': ('watts', 1e-3),
    'joules': ('joules', 1),
    'seconds': ('seconds', 1),
    'milliseconds': ('seconds', 1e-3),
    'hertz': ('hertz', 1),
    'kilohertz': ('hertz', 10**3),
    'megahertz': ('hertz', 10**6),
    'gigahertz': ('hertz', 10**9),
    'celsius': ('celsius', 1),
}

# The symbols of these words, as people write them behind a number.
SYMBOLS = {
    'W': 'watts',
    'mW': 'milliwatts',
    'J': 'joules',
    's': 'seconds',
    'ms': 'milliseconds',
    'Hz': 'hertz',
    'kHz': 'kilohertz',
    'MHz': 'megahertz',
    'GHz': 'gigahertz',
    'C': 'celsius',
}
# A number and what is behind it: 180W, 2.4 GHz, 180 watts
QUANTITY = re.compile(r'([0-9][0-9.]*(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z]+)\Z')


class Unit:
    """How the number in a field is an amount of a quantity.

    needs: addresses of registers of which the context must hold one. Methods
    raise KeyError with the first of them where it holds none.
    """

    quantity, needs = '', ()

    def amount(self, number, context):
        """Return the amount that a number means."""
        raise NotImplementedError

    def number(self, amount, largest, context):
        """Return the number up to ``largest`` whose amount comes closest to an amount within the span."""
        return min(range(largest + 1), key=lambda number: abs(self.amount(number, context) - amount))

    def span(self, largest, context):
        """Return the least and the greatest amount of the numbers from 0 to ``largest``."""
        return sorted((self.amount(0, context), self.amount(largest, context)))


class Steps(Unit):
    """So much for each count."""

    def __init__(self, quantity, step):
        self.quantity, self.step = quantity, step

    def amount(self, number, context):
        return number * self.step

    def number(self, amount, largest, context):
        return round(amount / self.step)


class RaplSteps(Unit):
    """So much for each count as some bits of the CPU's unit register say: 2 to the minus."""

    needs = RAPL_UNITS

    def __init__(self, quantity, low, bits):
        self.quantity, self.low, self.bits = quantity, low, bits

    def step(self, context):
        return 0.5 ** (told(self.needs, context) >> self.low & (1 << self.bits) - 1)

    def amount(self, number, context):
        return number * self.step(context)

    def number(self, amount, largest, context):
        return round(amount / self.step(context))


class RaplWindow(Unit):
    """2^Y * (1 + Z/4) time units, with Y in bits 4:0 and Z in bits 6:5."""

    quantity, needs, time = 'seconds', RAPL_UNITS, RaplSteps('seconds', 16, 4)

    def amount(self, number, context):
        return (1 << (number & 0x1F)) * (1 + (number >> 5) / 4) * self.time.step(context)


class BelowTarget(Unit):
    """Degrees below the temperature at which the part throttles (bits 23:16 of its register)."""

    quantity, needs = 'celsius', TEMPERATURE_TARGET

    def amount(self, number, context):
        return (told(self.needs, context) >> 16 & 0xFF) - number

    def number(self, amount, largest, context):
        return round(self.amount(amount, context))


class Exponent(Unit):
    """A unit itself: 2 to the minus."""

    def __init__(self, quantity):
        self.quantity = quantity

    def amount(self, number, context):
        return 0.5**number


class Divided(Unit):
    """AMD's multiplier of 25 MHz in bits 7:0, over a divisor in eighths above it."""

    quantity = 'hertz'

    def amount(self, number, context):
        return (number & 0xFF) * 200000000 // (number >> 8) if number >> 8 else 0

    def span(self, largest, context):
        return 0, self.amount(8 << 8 | 0xFF, context)

    def number(self, amount, largest, context):
        return 8 << 8 | round(amount / 25e6)


# The units of approved_lists/source/fields.yml.
UNITS = {
    'ratio': Steps('hertz', 100000000),
    'multiplier': Steps('hertz', 5000000),
    'divided': Divided(),
    'celsius': Steps('celsius', 1),
    'below_target': BelowTarget(),
    'power': RaplSteps('watts', 0, 4),
    'energy': RaplSteps('joules', 8, 5),
    'dram_energy': Steps('joules', 0.5**16),
    'joules': Steps('joules', 1),
    'time': RaplSteps('seconds', 16, 4),
    'window': RaplWindow(),
    'power_exponent': Exponent('watts'),
    'energy_exponent': Exponent('joules'),
    'time_exponent': Exponent('seconds'),
}


def told(addresses, context):
    """Return the value of that one of several registers that the context has. Raises KeyError."""
    for address in addresses:
        if address in context:
            return context[address]
    raise KeyError(addresses[0])


def parse_unit(word, quantity, where):
    """Return how much of a quantity a unit's name means. Raises MsrSafeError; ``where`` begins it."""
    known = [name for name, (what, _amount) in WORDS.items() if what == quantity]
    if word not in known:
        raise MsrSafeError('%s is in %s, not in %s.' % (where, quantity, word), 'Write it in %s.' % ' or '.join(known))
    return WORDS[word][1]


def split_quantity(text):
    """Return (value, name of its unit or None) of a text: ``180W`` and ``180 watts`` are ('180', 'watts').

    What is no number with a unit is the value, whole: ``0x1F``, ``on``.
    """
    match = QUANTITY.match(text.strip())
    word = match and SYMBOLS.get(match.group(2), match.group(2))
    if word not in WORDS:
        return text.strip(), None
    return match.group(1), word
