# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""An activation: the plan to make another approved list the one in force."""

import collections

from ..access.lock import locked
from ..errors import MsrSafeError
from ..hardware.cpu import read_cpu
from ..hardware.watchdog import describe_risk, observe_watchdog
from ..numbers import MAX_ADDRESS, parse_literal
from ..registers.of_cpu import code_name, registers_of
from ..registers.register import Registers
from .active import INSTALLED_LIST, installed_list_path, read_active_list, read_installed_list, with_names
from .approved_list import digest_list, parse_list, read_list_text, render_list
from .counters import activate_for_users, programs_counters
from .difference import compare_lists
from .header import cpu_line, cpu_of_text, require_this_cpu
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


def plan_activation(machine, content=None, path=None, persist=True, allow_unsafe=(), any_cpu=False):
    """Return the Activation of the list in ``content``, or in the file ``path`` of the machine.

    persist: also make it the list of the next boot. allow_unsafe: addresses
    (texts) that the lint does not refuse. any_cpu: also a list for another
    processor. Raises MsrSafeError on a list that is malformed, unsafe or for
    another processor, and where no module is loaded.
    """
    source = path or 'content'
    if path is not None:
        content = read_list_text(machine, path)
    cpu = read_cpu(machine)
    registers = registers_of(cpu)
    entries = registers.complete(parse_list(content, source))
    allowed = [parse_literal(address, MAX_ADDRESS, 'allow_unsafe:') for address in allow_unsafe]
    if not any_cpu:
        require_this_cpu(content, entries, source, cpu, registers, allowed)
    # A list for another CPU is not held against the registers of this one.
    warnings = require_safe(entries, source, allow_unsafe=allowed, registers=Registers(()) if any_cpu else registers)
    if programs_counters(entries):
        warnings += filter(None, [describe_risk(observe_watchdog(machine))])
    installed = read_names(machine)
    is_other = render_list(installed) != render_list(entries) or installed_for(machine) not in (None, line_of(cpu))
    active = registers.complete(with_names(read_active_list(machine), installed))
    before, after = render_list(active), render_list(entries)
    differences = compare_lists(active, entries)
    return Activation(
        entries,
        digest_list(entries),
        activates=bool(differences),
        file_text=approved_list_text(entries, source, allowed, line_of(cpu)) if persist and is_other else None,
        before=before,
        after=after,
        differences=differences,
        warnings=warnings,
    )


def line_of(cpu):
    """Return the line of a list's header that says that it is for a processor (as from read_cpu)."""
    return cpu_line(cpu['vendor'], cpu['family'], cpu['model'], code_name(cpu))


def installed_for(machine):
    """Return the line of the node's file that says which processor it is for, or None."""
    cpu = cpu_of_text(machine.read_text(installed_list_path(machine)) or '')
    return cpu and cpu_line(cpu['vendor'], cpu['family'], cpu['model'], cpu['name'])


def allowed_at_boot(machine):
    """Return the addresses (texts) that were allowed when the node's list was put there."""
    text = machine.read_text(installed_list_path(machine)) or ''
    return [address for address in header_line(text, ALLOWED).split(', ') if address]


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
    """Activate first: a list that the kernel refuses never becomes that of the next boot. Return notes, texts."""
    notes = []
    if activation.activates:
        with locked(machine, 'msr-safe'):
            notes = activate_for_users(machine, activation.entries)
    if activation.file_text is not None:
        machine.write(INSTALLED_LIST, activation.file_text.encode('utf-8'))
    return notes
