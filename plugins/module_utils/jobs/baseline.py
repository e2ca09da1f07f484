# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The baseline: what the registers of a node hold while no job runs, kept over reboots.

Where the node has a policy, that says what its bits hold; the file keeps what they held, for when it says it no more.
A ``policy`` is {address: {CPU: (bits, mask)}} here.
"""

import collections
from array import array

from ..access import operator
from ..access.operations import reads
from ..access.reading import Reading, build_reading, by_cpu, describe_error
from ..approved_lists.counters import CORE_SELECTS, FIXED_CONTROL
from ..errors import MsrSafeError
from ..hardware.cpu import online_cpus, read_cpu
from ..hardware.cpulist import format_cpulist, parse_cpulist
from ..hexadecimal import format_address, format_value
from ..snapshots.restore import Saved, compare, snapshot_errors, snapshot_values
from ..snapshots.snapshot import build_register, build_snapshot, describe_node, parse_snapshot, render_snapshot
from .image import BASELINE

# One that is of another machine is set aside, not lost.
FOREIGN = BASELINE + '.foreign'

REMEDY = 'Bring the registers to what they should be, then take it anew: msr-job baseline'

# What the kernel's own drivers write whenever they want to: cpufreq (PERF_CTL, HWP_REQUEST, ENERGY_PERF_BIAS; AMD's
# PSTATE_CTL, CPPC_REQUEST) and perf (the global controls of counters, beside their event selects).
KERNEL = frozenset((0x199, 0x774, 0x1B0, 0xC0010062, 0xC00102B3, FIXED_CONTROL, 0x38F, 0xC0000301)) | CORE_SELECTS

Difference = collections.namedtuple('Difference', 'writes problems')
Difference.__doc__ = """What brings registers back to the baseline: Writes; and the Problems of those that it cannot."""


def take_baseline(machine, entries):
    """Make what the registers of a list hold now the baseline, and return it."""
    entries = [entry for entry in entries if entry.mask]
    cpus = online_cpus(machine)
    readings = operator.read_registers(machine, [entry.address for entry in entries], cpus)
    baseline = build_snapshot(describe_node(machine, read_cpu(machine)), entries, cpus, readings)
    if entries:
        write_baseline(machine, baseline)
    return baseline


def set_aside_foreign(machine):
    """Set the baseline aside where it is another machine's; return whose in words, None if it is this one's."""
    baseline = read_baseline(machine)
    owner = baseline and whose_baseline(machine, baseline)
    if owner:
        machine.write(FOREIGN, machine.read(BASELINE), mode=0o600)
        machine.remove(BASELINE)
    return owner


def write_baseline(machine, snapshot):
    machine.write(BASELINE, render_snapshot(snapshot).encode('utf-8'), mode=0o600)


def read_baseline(machine):
    """Return the baseline, a snapshot; None where there is none. Raises MsrSafeError where it is damaged."""
    text = machine.read_text(BASELINE)
    try:
        return None if text is None else parse_snapshot(text, BASELINE)
    except MsrSafeError as error:
        raise MsrSafeError(error.problem, REMEDY) from error


def require_baseline(machine):
    """Return the baseline. Raises MsrSafeError, also where there is none."""
    baseline = read_baseline(machine)
    if baseline is None:
        raise MsrSafeError('There is no baseline to bring the registers back to.', REMEDY)
    return baseline


def whose_baseline(machine, baseline):
    """Return in words whose baseline this is, where it is another machine's: an image was cloned, a CPU replaced."""
    node = describe_node(machine, read_cpu(machine))
    if baseline['host'] != node['host']:
        return 'host ' + baseline['host']
    same = all(
        baseline['cpu'].get(field) == node['cpu'][field]
        for field in ('vendor', 'family', 'model', 'stepping', 'model_name')
    )
    return None if same else '%(model_name)s (stepping %(stepping)s)' % dict({'stepping': '?'}, **baseline['cpu'])


def compare_with_baseline(machine, baseline, entries, policy, adopts=False, stuck=()):
    """Return the Difference between what the registers of a list hold and the baseline, or a policy.

    Only what jobs can change is looked at: bits that the list lets be written, of configuration, or of what a driver
    would rewrite where the policy says that there is none. CPUs that are offline are left out: nothing runs on them.
    adopts: what the baseline does not know becomes part of it, as nobody could have changed it yet, and so does what
    the kernel writes; otherwise the former is a problem. stuck: addresses, as texts, of registers that may hold what a
    job wrote, whoever else does.
    """
    entries = [named(entry, baseline) for entry in entries if entry.mask]
    entries = [entry for entry in entries if entry.kind == 'configuration' or entry.address in policy]
    if not entries:
        return Difference([], [])
    cpus = online_cpus(machine)
    results, width = operator.carry_out(machine, reads([entry.address for entry in entries], cpus)), len(entries)
    fails, covers = any(results.errors), coverage(cpus)
    writes, problems, adopted = [], [], False
    for index, entry in enumerate(entries):
        register, now = baseline['registers'].get(format_address(entry.address)), results.values[index::width]
        of_policy = policy.get(entry.address, {})
        if register and not (fails or of_policy) and covers(register) and now == expected(register, len(cpus)):
            continue
        reading = build_reading(cpus, now, results.errors[index::width])
        if adopts and register and is_of_the_kernel(entry.address) and format_address(entry.address) not in stuck:
            register = baseline['registers'][format_address(entry.address)] = build_register(entry, reading)
            adopted = True
        if entry.kind != 'configuration':
            register = build_register(entry, reading)
        saved = saved_of(entry, register, cpus)
        newcomers = set(cpus).difference(*saved.values.values(), *saved.errors.values())
        if newcomers and adopts:
            adopt(baseline, entry, reading, newcomers)
            saved, newcomers, adopted = (
                saved_of(entry, baseline['registers'][format_address(entry.address)], cpus),
                (),
                True,
            )
        more_writes, more_problems = compare(with_policy(saved, of_policy), reading, set(newcomers), None)
        writes += more_writes
        problems += [
            each._replace(error='not in the baseline') if each.cpu in newcomers else each for each in more_problems
        ]
    if adopted:
        write_baseline(machine, baseline)
    return Difference(writes, problems)


def is_of_the_kernel(address):
    """Return whether a register is the kernel's to change between jobs."""
    return address in KERNEL


def named(entry, baseline):
    """Return an entry with the name and kind that the baseline has, where its list says none."""
    register = baseline['registers'].get(format_address(entry.address))
    return entry if entry.name or not register else entry._replace(name=register['name'], kind=register['kind'])


def coverage(cpus):
    """Return a function that says whether a register of the baseline has one value, and that on all of these CPUs."""
    known, wanted = {}, set(cpus)

    def covers(register):
        if len(register['values']) != 1 or register['errors']:
            return False
        (text,) = register['values'].values()
        if text not in known:
            known[text] = wanted.issubset(parse_cpulist(text))
        return known[text]

    return covers


def expected(register, count):
    """Return the values of a register that holds the same on so many CPUs."""
    (value,) = register['values']
    return array('Q', [int(value, 16)]) * count


def saved_of(entry, register, cpus):
    """Return a register of the baseline (None: it is not there) as what a restore brings back on CPUs.

    That is the bits that the list lets be written, whatever the mask was when the baseline was taken.
    """
    online, found = set(cpus), []
    for groups in (snapshot_values(register), snapshot_errors(register)) if register else ({}, {}):
        groups = {key: [cpu for cpu in group if cpu in online] for key, group in groups.items()}
        found.append({key: group for key, group in groups.items() if group})
    return Saved(entry.address, entry.name, entry.kind, entry.mask, *found)


def with_policy(saved, of_policy):
    """Return a Saved with the bits that the policy gives it, {CPU: (bits, mask)}."""
    if not of_policy:
        return saved
    values = {}
    for cpu, value in by_cpu(saved.values).items():
        bits, mask = of_policy.get(cpu, (0, 0))
        values.setdefault((value & ~mask) | bits, []).append(cpu)
    return saved._replace(values=values)


def adopt(baseline, entry, reading, newcomers):
    """Take what a register holds on CPUs into the baseline: it was taken without them."""
    register = baseline['registers'].setdefault(format_address(entry.address), build_register(entry, Reading({}, {})))
    for groups, now, render in (
        ('values', reading.values, format_value),
        ('errors', reading.errors, describe_error),
    ):
        for key, cpus in now.items():
            known = parse_cpulist(register[groups].get(render(key), ''))
            register[groups][render(key)] = format_cpulist([*known, *newcomers.intersection(cpus)])
        register[groups] = {key: text for key, text in register[groups].items() if text}
    baseline['cpus'] = format_cpulist([*parse_cpulist(baseline['cpus']), *newcomers])


def columns_of(machine, baseline, entries, policy):
    """Return (the CPUs that are online, {address: (mask, [value on each CPU])}) of what jobs can change.

    Registers that no CPU has are left out; None where baseline and policy do not tell a value for all CPUs.
    """
    cpus, columns = online_cpus(machine), {}
    for entry in entries:
        register = baseline['registers'].get(format_address(entry.address))
        if not entry.mask or (entry.kind != 'configuration' and entry.address not in policy):
            continue
        if entry.kind != 'configuration':
            return None  # Some of its bits are the policy's, and what the others hold is nobody's
        saved = with_policy(saved_of(entry, register, cpus), policy.get(entry.address))
        if not saved.values and sum(map(len, saved.errors.values())) == len(cpus):
            continue
        values = by_cpu(saved.values)
        if len(values) != len(cpus):
            return None
        columns[entry.address] = (entry.mask, [values[cpu] for cpu in cpus])
    return cpus, columns
