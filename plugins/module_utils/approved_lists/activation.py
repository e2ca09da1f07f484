# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""An activation: the plan to make another approved list the one in force."""

import collections

from ..access.lock import locked
from ..errors import MsrSafeError
from ..hardware.cpu import read_cpu
from ..numbers import MAX_ADDRESS, parse_literal
from ..registers.of_cpu import registers_of
from .active import INSTALLED_LIST, activate_list, read_active_list, read_installed_list, with_names
from .approved_list import digest_list, parse_list, read_list_text, render_list
from .difference import compare_lists
from .lint import require_safe
from .node_file import ALLOWED, approved_list_text, header_line

Activation = collections.namedtuple(
    'Activation', 'entries sha256 activates file_text before after differences warnings'
)
Activation.__doc__ = """What is to be done to have a list in force.

entries: of the wanted list; sha256: its digest; activates: whether the kernel
is to be given it; file_text: what the node's file is to be, or None to leave
it; before, after: texts for the diff; differences: from the list in force;
warnings: texts.
"""


def plan_activation(machine, content=None, path=None, persist=True, allow_unsafe=()):
    """Return the Activation of the list in ``content``, or in the file ``path`` of the machine.

    persist: also make it the list of the next boot. allow_unsafe: addresses
    (texts) that the lint does not refuse. Raises MsrSafeError on a list that is
    malformed or unsafe, and where no module is loaded.
    """
    source = path or 'content'
    if path is not None:
        content = read_list_text(machine, path)
    registers = registers_of(read_cpu(machine))
    entries = registers.complete(parse_list(content, source))
    allowed = [parse_literal(address, MAX_ADDRESS, 'allow_unsafe:') for address in allow_unsafe]
    warnings = require_safe(entries, source, allow_unsafe=allowed)
    installed = read_names(machine)
    active = registers.complete(with_names(read_active_list(machine), installed))
    before, after = render_list(active), render_list(entries)
    differences = compare_lists(active, entries)
    return Activation(
        entries,
        digest_list(entries),
        activates=bool(differences),
        file_text=approved_list_text(entries, source, allowed) if persist and render_list(installed) != after else None,
        before=before,
        after=after,
        differences=differences,
        warnings=warnings,
    )


def allowed_at_boot(machine):
    """Return the addresses (texts) that were allowed when the node's list was put there."""
    return [address for address in header_line(machine.read_text(INSTALLED_LIST) or '', ALLOWED).split(', ') if address]


def read_names(machine):
    """Return the installed list; [] where it is absent, or damaged and so to be replaced."""
    try:
        return read_installed_list(machine)
    except MsrSafeError:
        return []


def is_due(activation):
    """Return whether there is anything to do."""
    return activation.activates or activation.file_text is not None


def carry_out_activation(machine, activation):
    """Activate first: a list that the kernel refuses never becomes that of the next boot."""
    if activation.activates:
        with locked(machine, 'msr-safe'):
            activate_list(machine, activation.entries)
    if activation.file_text is not None:
        machine.write(INSTALLED_LIST, activation.file_text.encode('utf-8'))
