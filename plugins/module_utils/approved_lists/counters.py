# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The performance counters that a list lets users program: that they count for users only, and never interrupt.

Event selects have bits for counting the kernel (OS) and for an interrupt at overflow (INT). The lists leave them out,
but a masked write keeps what is there, and the kernel leaves both set after each of its own perf events. So they are
zeroed once a list is in force under which users cannot set them again.
"""

import collections
import contextlib

from ..access import operator
from ..access.operations import writes
from ..access.reading import by_cpu
from ..access.registers import observe_access
from ..errors import MsrSafeError
from ..hardware.cpu import online_cpus
from ..hardware.cpulist import format_cpulist
from .active import activate_list

OS, INT, ENABLE = 1 << 17, 1 << 20, 1 << 22
FIXED_CONTROL = 0x38D
# Of the four bits of each fixed counter: OS (0), user (1), interrupt (3).
FIXED_COUNTERS = range(16)

# Whoever sets these bits while they are zeroed does not do so for long.
ATTEMPTS = 3

# Event selects of the core; those of the uncore have neither bit, or are not for users.
CORE_SELECTS = frozenset((*range(0x186, 0x18E), *range(0xC0010000, 0xC0010004), *range(0xC0010200, 0xC001020C, 2)))


def programs_counters(entries):
    """Return whether a list lets users program performance counters of the core."""
    return any(entry.mask and (entry.address == FIXED_CONTROL or entry.address in CORE_SELECTS) for entry in entries)


def activate_for_users(machine, entries):
    """Make ``entries`` the list in force, and its counters count for users only; return notes, texts.

    Raises MsrSafeError; where counters cannot be made so, the list is in force with their control read only.
    """
    activate_list(machine, entries)
    forbidden = {entry.address: forbidden_bits(entry) for entry in entries if forbidden_bits(entry)}
    if forbidden and observe_access(machine) is None:
        return ['Whether counters count for users only was not looked at: registers cannot be reached on this node.']
    for _attempt in range(ATTEMPTS):
        due, kept = left_over(machine, forbidden)
        if not due:
            return describe_kept(kept, {entry.address: entry.name for entry in entries})
        with open_to_root(machine, entries, forbidden):
            operator.carry_out(machine, writes(due), bits_to_zero(due, forbidden))
    activate_list(machine, [entry._replace(mask=0) if entry.address in forbidden else entry for entry in entries])
    raise MsrSafeError(
        'Counters of CPU %s count the kernel, and go on doing so.'
        % format_cpulist({cpu for cpu, _address, _value in due}),
        'Their event selects are read only now. Something sets the OS or INT bits while they are zeroed: find it.',
    )


@contextlib.contextmanager
def open_to_root(machine, entries, bits):
    """Let root write more bits of some registers, {address: bits}, than ``entries``, the list in force, does.

    Users can, too, for that moment, where root is not let past the list.
    """
    if operator.is_allowed(machine):
        yield
        return
    activate_list(machine, [entry._replace(mask=entry.mask | bits.get(entry.address, 0)) for entry in entries])
    try:
        yield
    finally:
        activate_list(machine, entries)


def forbidden_bits(entry):
    """Return the bits of an entry's register that are to be zero, since users may program it, and not set them."""
    if not entry.mask:
        return 0
    if entry.address == FIXED_CONTROL:
        ours = [counter for counter in FIXED_COUNTERS if entry.mask >> 4 * counter & 2]
        return sum(0b1001 << 4 * counter for counter in ours) & ~entry.mask
    if entry.address in CORE_SELECTS:
        return (OS | INT) & ~entry.mask
    return 0


def left_over(machine, forbidden):
    """Return ([(CPU, address, value)] that makes forbidden bits zero, [(address, CPU)] that the kernel uses)."""
    due, kept = [], []
    for address, reading in operator.read_registers(machine, sorted(forbidden), online_cpus(machine)).items():
        for cpu, value in sorted(by_cpu(reading.values).items()):
            in_use = bits_in_use(address, value) & forbidden[address]
            if in_use:
                kept.append((address, cpu))
            if value & forbidden[address] & ~in_use:
                due.append((cpu, address, value & ~(forbidden[address] & ~in_use)))
    return due, kept


def bits_to_zero(due, forbidden):
    """Return {(CPU, address): bits} that writes may change: not those of a counter that the kernel uses."""
    return {(cpu, address): forbidden[address] & ~bits_in_use(address, value) for cpu, address, value in due}


def bits_in_use(address, value):
    """Return the bits that belong to counters which the kernel counts with: enabled, with an interrupt.

    Each of the kernel's perf events has the interrupt (x86_pmu_hw_config and intel_pmu_enable_fixed of Linux), no job
    can set it, and an event that ends takes the enabling bits away.
    """
    if address == FIXED_CONTROL:
        counters = [value >> 4 * counter & 0xF for counter in FIXED_COUNTERS]
        return sum(0xF << 4 * counter for counter, bits in enumerate(counters) if bits & 0b1000 and bits & 0b11)
    return OS | INT if value & ENABLE and value & INT else 0


def describe_kept(kept, names):
    """Return a sentence for each register that the kernel counts with."""
    cpus = collections.OrderedDict()
    for address, cpu in kept:
        cpus.setdefault(address, []).append(cpu)
    return [
        "The kernel's own perf events, or its NMI watchdog, count with %s on CPU %s: its OS and INT bits were left. "
        'A job that programs it takes it from the kernel, and counts the kernel, too.'
        % (names.get(address) or '0x%X' % address, format_cpulist(numbers))
        for address, numbers in cpus.items()
    ]
