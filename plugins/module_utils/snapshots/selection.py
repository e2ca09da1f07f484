# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A selection: which registers of which kinds, on which CPUs."""

import collections

from ..approved_lists.approved_list import KINDS
from ..errors import MsrSafeError

Selection = collections.namedtuple('Selection', 'registers kinds cpus read_only')
Selection.__doc__ = """What to save or restore.

registers: names and addresses, or () for all; kinds: of KINDS; cpus: as
select_cpus takes it; read_only: also registers that cannot be written.
"""

EVERYTHING = Selection((), KINDS, 'all', read_only=False)
# Writing back what a counter or a status register held is rarely meant.
CONFIGURATION = EVERYTHING._replace(kinds=('configuration', 'governed'))


def asks_for_moving(selection):
    """Return whether what moves by itself was asked for: by name, or by kinds that are not simply all."""
    return bool(selection.registers) or set(selection.kinds) != set(KINDS)


def select_entries(entries, selection, where):
    """Return the entries (with address, name, mask and kind) that are selected; naming one is asking for it.

    where: what they are entries of, in words. Raises MsrSafeError for a name
    or an address that it does not have.
    """
    if selection.registers:
        wanted = {find_address(text, entries, where) for text in selection.registers}
        return [entry for entry in entries if entry.address in wanted]
    return [entry for entry in entries if entry.kind in selection.kinds and (entry.mask or selection.read_only)]


def find_address(text, entries, where):
    """Return the address of the entry that a name or an address means. Raises MsrSafeError."""
    from ..registers.register import Register, Registers, describe  # Most calls name no register

    registers = Registers(Register(entry.address, entry.name, entry.kind, '', ()) for entry in entries)
    try:
        register = registers.find(text)
    except MsrSafeError as error:
        raise MsrSafeError('In %s: %s' % (where, error.problem), error.remedy) from error
    if register.address not in registers.by_address:
        raise MsrSafeError('%s is not in %s.' % (describe(register), where), 'Take it out of the selection.')
    return register.address
