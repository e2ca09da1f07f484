# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The lint of approved lists: which of their entries would hand out the machine."""

import collections

from ..errors import MsrSafeError

TIERS = ('monitor', 'perf', 'power')

REFUSE = 'refuse'
WARN = 'warn'

Finding = collections.namedtuple('Finding', 'level address line message')
Finding.__doc__ = """What is wrong with one entry of a list.

level: REFUSE or WARN; address: the register's; line: its line in the list, or
None; message: the register, which attack or failure, and the remedy.
"""

LISTED = 'listed'  # the rule is about being on the list at all
WRITABLE = 'writable'  # the rule is about bits of the write mask

ALL = (1 << 64) - 1

Rule = collections.namedtuple('Rule', 'level about registers bits why')


def span(first, last, step=1):
    """Return the addresses from ``first`` to ``last``, both included."""
    return range(first, last + 1, step)


def bits(*numbers):
    """Return the mask of some bits: ``bits(0, 4)`` is 0x11."""
    return sum(1 << number for number in numbers)


def one(address):
    """Return the addresses of a rule about a single register."""
    return span(address, address)


def refuse_listed(why, *registers):
    return Rule(REFUSE, LISTED, registers, ALL, why)


def refuse_writable(why, *registers):
    return Rule(REFUSE, WRITABLE, registers, ALL, why)


def refuse_bits(why, mask, address):
    return Rule(REFUSE, WRITABLE, (one(address),), mask, why)


def warn_listed(why, *registers):
    return Rule(WARN, LISTED, registers, ALL, why)


def warn_bits(why, mask, *registers):
    return Rule(WARN, WRITABLE, registers, mask, why)


EVENT_SELECTS = (span(0x186, 0x18D), span(0xC0010000, 0xC0010003), span(0xC0010200, 0xC001020A, 2))
FIXED_COUNTER_CONTROL = one(0x38D)

NOBODY_HANDLES = 'a counter that overflows raises an interrupt that nobody handles'
KERNEL_VISIBLE = 'counts what the kernel does, which shows its secrets to the job'

RULES = (
    # Code in ring 0, or a way to find where the kernel is
    refuse_listed(
        'EFER, system-call entry, FS and GS base: writing them runs code in ring 0, reading them defeats KASLR',
        span(0xC0000080, 0xC0000084),
        span(0xC0000100, 0xC0000102),
    ),
    refuse_writable('TSC_AUX tells the kernel on which CPU it runs, and programs trust it', one(0xC0000103)),
    refuse_listed('SYSENTER entry: writing it runs code in ring 0, reading it defeats KASLR', span(0x174, 0x176)),
    refuse_listed(
        'branch and sample addresses show where the kernel is (defeats KASLR)',
        span(0x680, 0x6DF),
        span(0x1C8, 0x1C9),
        span(0xDC0, 0xDDF),
        span(0x1DB, 0x1DE),
        span(0xC0011031, 0xC001103B),
        span(0xC0010300, 0xC001030F),
    ),
    # The CPU writes to memory of the job's choice
    refuse_writable(
        'DS area and PEBS: the CPU writes to a kernel address that the job chooses, '
        'and PEBS_ENABLE without a DS area can crash the kernel',
        one(0x600),
        one(0x3F1),
    ),
    refuse_bits(
        'BTS: the CPU writes branch records to the DS area, a kernel address that the job chooses',
        bits(6, 7, 8, 9, 10, 11),
        0x1D9,
    ),
    refuse_writable(
        'Processor Trace: the CPU writes its trace to physical memory that the job chooses',
        span(0x560, 0x571),
        span(0x580, 0x587),
    ),
    # Interrupts
    refuse_writable('APIC base: moves the interrupt controller over memory, or turns it off', one(0x1B)),
    refuse_listed('x2APIC: sends interrupts, INIT and NMI to other CPUs', span(0x800, 0x8FF)),
    # What the machine is made of
    refuse_writable('loads microcode', one(0x79), one(0x7A), one(0xC0010020)),
    refuse_writable(
        'SMM, SMRR and SVM: code or memory outside the reach of the kernel',
        one(0x9B),
        one(0x9E),
        span(0x1F2, 0x1F3),
        span(0xC0010111, 0xC0010117),
    ),
    refuse_writable(
        'memory types and ranges, configuration space: maps devices over the kernel, or stops the machine',
        span(0x200, 0x27F),
        span(0x2A0, 0x2FF),
        one(0xC0010010),
        span(0xC0010016, 0xC001001D),
        one(0xC0010058),
    ),
    refuse_writable(
        'turns off mitigations of speculation attacks (Spectre and its kin) for everybody',
        span(0x48, 0x49),
        span(0x10A, 0x10B),
        span(0x122, 0x123),
        span(0xC0011020, 0xC001102C),
    ),
    refuse_writable('sets the voltage: faults by undervolting (Plundervolt, CVE-2019-11157)', one(0x150)),
    refuse_writable(
        'clocks, TSC deadline and the ratio of APERF to MPERF: time and the scheduler go wrong for everybody',
        one(0x10),
        one(0x3B),
        span(0xE7, 0xE8),
        one(0x6E0),
    ),
    refuse_writable(
        'XFD, CET, XSS, TME, SGX, VMX and SEV: takes protection from other programs and virtual machines',
        span(0x1C4, 0x1C5),
        span(0x6A0, 0x6A8),
        one(0xDA0),
        span(0x981, 0x983),
        span(0x8C, 0x8F),
        span(0x480, 0x493),
        span(0xC0010130, 0xC0010132),
    ),
    refuse_writable(
        'machine check: hides hardware errors, or stops the machine with invented ones',
        span(0x179, 0x17B),
        span(0x280, 0x29F),
        span(0x400, 0x47F),
        span(0xC0002000, 0xC0002FFF),
    ),
    # Single bits: locks, and what the kernel relies on
    refuse_writable('FEATURE_CONTROL locks VMX and SGX until the next reset', one(0x3A)),
    refuse_bits('locks the limit of idle states until the next reset', bits(15), 0xE2),
    refuse_bits('locks the package power limit until the next reset', bits(63), 0x610),
    refuse_bits('locks the memory power limit until the next reset', bits(31), 0x618),
    refuse_bits('locks the platform power limit until the next reset', bits(63), 0x65C),
    refuse_bits('locks the overclocking settings until the next reset', bits(20), 0x194),
    refuse_bits('turns off NX: data can be executed', bits(34), 0x1A0),
    refuse_bits('limits CPUID to 3 leaves: programs and a kexec kernel lose features', bits(22), 0x1A0),
    refuse_bits('turns off MONITOR and MWAIT: the kernel faults when it idles', bits(18), 0x1A0),
    # Not an attack on the machine, but worth knowing
    warn_bits('INT: ' + NOBODY_HANDLES, bits(20), *EVENT_SELECTS),
    warn_bits('OS: ' + KERNEL_VISIBLE, bits(17), *EVENT_SELECTS),
    warn_bits('PMI: ' + NOBODY_HANDLES, bits(3, 7, 11, 15), FIXED_COUNTER_CONTROL),
    warn_bits('OS: ' + KERNEL_VISIBLE, bits(0, 4, 8, 12), FIXED_COUNTER_CONTROL),
    warn_listed('tells the serial number of the part', span(0x4E, 0x4F), span(0xC00102F0, 0xC00102F1)),
)

ENERGY_RULE = warn_listed(
    'energy side channel: shows secrets of other jobs (PLATYPUS, CVE-2020-8694, CVE-2020-8695, CVE-2020-12912)',
    one(0x611),
    one(0x619),
    one(0x639),
    one(0x641),
    one(0x64D),
    span(0xC001029A, 0xC001029B),
)

# The bits that the manual defines, for registers where we know them all (SDM vol. 4;
# PPR 19h). They catch a mask for another register, or with its halves swapped.
DEFINED_BITS = {
    0x199: 0x000000010000FFFF,
    0x19A: 0x000000000000001F,
    0x19B: 0x0000000003FFFF1F,
    0x1A4: 0x000000000000002F,
    0x1A6: 0x0000003FFFFFFFFF,
    0x1A7: 0x0000003FFFFFFFFF,
    0x1B0: 0x000000000000000F,
    0x1B2: 0x0000000003FFFF17,
    0x38D: 0x00001111FFFFFFFF,
    0x610: 0x80FFFFFF00FFFFFF,
    0x618: 0x0000000080FFFFFF,
    0x620: 0x0000000000007F7F,
    0x772: 0x000003FFFFFFFFFF,
    0x774: 0xF00007FFFFFFFFFF,
    0xC0010062: 0x0000000000000007,
}
DEFINED_BITS.update((address, 0x0000FF17FFFFFFFF) for address in span(0x186, 0x18D))

# Status registers whose logs are cleared by writing: there a write mask is meant.
CLEARED_BY_WRITING = (
    one(0x19C),
    one(0x1B1),  # thermal logs
    one(0x390),
    one(0xC0000302),  # counter overflow
    span(0x700, 0x76F),
    span(0xC00, 0xFFF),  # uncore counters' boxes
)


def lint(entries, tier='power', shared=False, allow_unsafe=()):
    """Return the findings about a list's entries, in their order.

    ``entries`` have address, mask, name, kind and line. ``tier`` is what the
    list is for, ``shared`` whether jobs of several users share the nodes.
    What would be refused is only a warning where ``allow_unsafe`` has the
    register's address. Pure: looks at nothing but its arguments.
    """
    rules = (*RULES, ENERGY_RULE) if shared or tier == 'monitor' else RULES
    findings = []
    for entry in entries:
        findings.extend(finding_of(rule, entry, allow_unsafe) for rule in rules if offends(entry, rule))
        findings.extend(mask_findings(entry))
    return findings


def refused(findings):
    """Return those findings for which a list must not be activated."""
    return [finding for finding in findings if finding.level == REFUSE]


def offends(entry, rule):
    """Return whether an entry does what a rule is about."""
    return is_among(entry.address, rule.registers) and (rule.about == LISTED or bool(entry.mask & rule.bits))


def is_among(address, spans):
    """Return whether one of several ranges has an address."""
    return any(address in addresses for addresses in spans)


def finding_of(rule, entry, allow_unsafe):
    """Return the finding that an entry offends a rule."""
    remedy = remedy_for(rule, entry)
    if rule.level == WARN:
        return warning(entry, rule.why, remedy)
    if entry.address in allow_unsafe:
        return warning(entry, rule.why, 'Allowed by msr_safe_allow_unsafe.')
    remedy += ', or name 0x%X in msr_safe_allow_unsafe (msr-safe: --allow-unsafe).' % entry.address
    return Finding(REFUSE, entry.address, entry.line, message_of(entry, rule.why, remedy))


def remedy_for(rule, entry):
    """Return what makes an entry keep a rule, without the full stop."""
    if rule.about == LISTED:
        return 'Take the register off the list'
    return 'Set its write mask to 0x%016X' % (entry.mask & ~rule.bits)


def mask_findings(entry):
    """Return the warnings about a write mask that cannot be meant."""
    findings = []
    defined = DEFINED_BITS.get(entry.address, ALL)
    if entry.mask & ~defined:
        findings.append(
            warning(
                entry,
                'the write mask has bits that the manual reserves (0x%016X)' % (entry.mask & ~defined),
                'Set its write mask to 0x%016X' % (entry.mask & defined),
            )
        )
    if entry.mask and entry.kind == 'status' and not is_among(entry.address, CLEARED_BY_WRITING):
        findings.append(
            warning(
                entry,
                'hardware sets this status, so what a job writes is lost or hides what happened',
                'Set its write mask to 0',
            )
        )
    return findings


def warning(entry, why, remedy):
    """Return a finding that a list may be activated with."""
    return Finding(WARN, entry.address, entry.line, message_of(entry, why, remedy.rstrip('.') + '.'))


def message_of(entry, why, remedy):
    """Return the sentences of a finding: which register, why, what to do."""
    name = ' ' + entry.name if entry.name else ''
    return '0x%08X%s (write mask 0x%016X): %s. %s' % (entry.address, name, entry.mask, why, remedy)


def require_safe(entries, source, tier='power', shared=False, allow_unsafe=()):
    """Return the warnings of a list as texts. Raises MsrSafeError where an entry is refused.

    source: names the list in messages, before the entry's line.
    """
    findings = lint(entries, tier, shared, allow_unsafe)
    if refused(findings):
        raise MsrSafeError(
            '%s would hand out the machine:\n%s'
            % (source, '\n'.join(locate(finding, source) for finding in refused(findings))),
        )
    return [locate(finding, source) for finding in findings]


def locate(finding, source):
    """Return a finding's message with the place before it: ``al_0655:12: 0x000003F1 …``."""
    place = source if finding.line is None else '%s:%d' % (source, finding.line)
    return '%s: %s' % (place, finding.message)
