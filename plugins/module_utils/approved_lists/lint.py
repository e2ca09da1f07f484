# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The lint of approved lists: which of their entries would hand out the machine."""

import collections

from ..errors import MsrSafeError
from ..registers.register import Registers, describe, describe_bits, short_name
from ..words import join_some

TIERS = ('shared', 'monitor', 'perf', 'power')

REFUSE = 'refuse'
WARN = 'warn'

Finding = collections.namedtuple('Finding', 'level address line message crowd')
Finding.__doc__ = """What is wrong with one entry of a list.

level: REFUSE or WARN; address: the register's; line: its line in the list, or
None; message: the register, which attack or failure, and the remedy; crowd:
where many entries are likely to share it, what is said once for all of them.
"""
Finding.__new__.__defaults__ = ('',)

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


def refuse_bits(why, mask, *addresses):
    return Rule(REFUSE, WRITABLE, tuple(one(address) for address in addresses), mask, why)


def warn_listed(why, *registers):
    return Rule(WARN, LISTED, registers, ALL, why)


def warn_bits(why, mask, *registers):
    return Rule(WARN, WRITABLE, registers, mask, why)


EVENT_SELECTS = (
    span(0x186, 0x18D),
    span(0x1901, 0x1925, 4),  # the same of version 6 of performance monitoring
    span(0x1983, 0x19B7, 4),
    span(0x700, 0x703),
    span(0xC0010000, 0xC0010003),
    span(0xC0010200, 0xC001020A, 2),
    span(0xC0010230, 0xC001023A, 2),
    span(0xC0010240, 0xC001025E, 2),
    span(0xC0010800, 0xC001087E, 2),
)
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
    refuse_listed(
        'FRED: stacks and entry point of the kernel: writing them runs code in ring 0, reading them defeats KASLR',
        span(0x1CC, 0x1D4),
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
        one(0xC001103D),
        span(0xC000010E, 0xC000010F),
        span(0xC0010300, 0xC001031F),
        span(0x14CE, 0x14CF),
        span(0x1200, 0x121F),
        span(0x1500, 0x151F),
        span(0x1600, 0x161F),
    ),
    # The CPU writes to memory of the job's choice
    refuse_writable(
        'DS area and PEBS: the CPU writes to a kernel address that the job chooses, '
        'and PEBS_ENABLE without a DS area can crash the kernel',
        one(0x600),
        one(0x3F1),
        span(0x3F4, 0x3F5),
    ),
    refuse_writable(
        'hardware feedback, remote action requests: the CPU writes to physical memory that the job chooses',
        span(0x17D0, 0x17D1),
        span(0xEE, 0xEF),
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
    refuse_writable(
        'interrupts that nobody expects, or faults of the kernel: another CPU, or the whole machine, stops',
        one(0x33),
        one(0x80),
        one(0x105),
        one(0x1F1),
        one(0x773),
        one(0xC0000104),
        one(0xC0000410),
        one(0xC0010074),
        one(0xC001011B),
        span(0xC0011002, 0xC0011005),
        one(0xC0011030),
    ),
    # What the machine is made of
    refuse_writable('loads microcode', one(0x79), one(0x7A), one(0xC0010020)),
    refuse_writable(
        'SMM, SMRR and SVM: code or memory outside the reach of the kernel',
        one(0x9B),
        one(0x9E),
        span(0x1F2, 0x1F5),
        one(0x1FB),
        one(0x4E0),
        span(0xC0010050, 0xC0010056),
        span(0xC0010111, 0xC0010118),
    ),
    refuse_bits(
        'HWCR locks SMM (bit 0), and changes how the kernel faults, flushes and idles',
        ALL & ~bits(25, 30),
        0xC0010015,
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
        one(0xC001102E),
        one(0xC00110E3),
        one(0xC001011F),
        one(0x10F),
        one(0x540),
        one(0x1B01),
    ),
    refuse_writable(
        'sets the voltage: faults by undervolting (Plundervolt, CVE-2019-11157)',
        one(0x150),
        one(0xC0010041),
        span(0xC0010064, 0xC001006B),
    ),
    refuse_writable('moves the temperature at which the part throttles', one(0x1A2)),
    refuse_bits('turns off the automatic thermal control', bits(3), 0x1A0),
    refuse_bits('turns off the response to PROCHOT, which protects the board', bits(0), 0x1FC),
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
        span(0x981, 0x98A),
        one(0x6E1),
        span(0xD91, 0xD93),
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
    refuse_bits('locks the memory power limit until the next reset', bits(31, 63), 0x618),
    refuse_bits(
        'locks the power limits of cores and graphics, the TDP level, the turbo ratio or the current limit until the '
        'next reset',
        bits(31),
        0x638,
        0x640,
        0x64B,
        0x64C,
        0x601,
    ),
    refuse_writable(
        'locks AES, the microcode or the debug interface until the next reset', one(0x13C), one(0x1406), one(0xC80)
    ),
    refuse_writable(
        'turns on hardware-controlled performance states, which lasts until the next reset', one(0x770), one(0xC00102B1)
    ),
    refuse_bits('locks SpeedStep on or off until the next reset', bits(20), 0x1A0),
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

# What tier power has since the seed lists had it, and what it costs. Said by the lint alone: role and
# load do not repeat it at every run, unless jobs of several users share the nodes.
KEPT = (
    warn_bits(
        'turbo ratios: on a part where they can be programmed (bit 28 of 0xCE) a job can raise them, too',
        ALL,
        span(0x1AD, 0x1AF),
    ),
    warn_bits("a job can silence the kernel's thermal interrupts", ALL, one(0x19B), one(0x1B2)),
    warn_bits('a job can erase the evidence of throttling', ALL, one(0x19C), one(0x1B1)),
)

# The bits that the manual defines, for registers where we know them all (SDM vol. 4;
# PPR 19h). They catch a mask for another register, or with its halves swapped, on a CPU
# that our table does not know.
DEFINED_BITS = {
    0x199: 0x000000010000FFFF,
    0x19A: 0x000000000000001F,
    0x19B: 0x0000000003FFFF1F,
    0x1A4: 0x000000000000002F,
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

# Thermal logs are cleared by writing 0 (SDM vol. 4); the other writable status of our table by writing 1 (Intel's
# manuals of uncore counters), but for these two, which read as 0 (Linux's KVM; "KVM: vPMU: Fill get_msr
# MSR_CORE_PERF_GLOBAL_OVF_CTRL w/ 0" says so of two Xeons): writing back what was read clears nothing.
CLEARED_BY_ZEROS = (one(0x19C), one(0x1B1))
READ_AS_ZERO = (one(0x390), one(0xC0000302))


NOBODY = Registers(())


def lint(entries, tier='power', shared=False, allow_unsafe=(), registers=NOBODY, kept=True):
    """Return the findings about a list's entries, in their order.

    ``entries`` have address, mask, name, kind and line. ``tier`` is what the
    list is for, ``shared`` whether jobs of several users share the nodes.
    What would be refused is only a warning where ``allow_unsafe`` has the
    register's address. ``registers`` are those of the list's CPU: what the CPU
    documents is no danger, and what it does not know is one. ``kept``: also
    what KEPT has. Pure: looks at nothing but its arguments.
    """
    shared = shared or tier == 'shared'
    rules = [*RULES, *(KEPT if kept or shared else ()), *([ENERGY_RULE] if shared or tier == 'monitor' else [])]
    findings = []
    for entry in entries:
        register = registers.by_address.get(entry.address)
        offended = [rule for rule in rules if offends(entry, rule, register)]
        findings.extend(finding_of(rule, entry, allow_unsafe) for rule in offended)
        findings.extend(mask_findings(entry, register))
        findings.extend(name_findings(entry, register, registers))
        if registers.by_address:
            findings.extend(table_findings(entry, register, offended, allow_unsafe))
            findings.extend(masked_write_findings(entry, register))
            if shared and register and ENERGY_RULE not in offended:
                findings.extend(neighbour_findings(entry, register))
    return findings


def refused(findings):
    """Return those findings for which a list must not be activated."""
    return [finding for finding in findings if finding.level == REFUSE]


def offends(entry, rule, register):
    """Return whether an entry does what a rule is about; not by what its CPU documents, where the rule refuses."""
    if not is_among(entry.address, rule.registers):
        return False
    if rule.level == WARN or register is None:
        return rule.about == LISTED or bool(entry.mask & rule.bits)
    return rule.about == WRITABLE and bool(entry.mask & rule.bits & ~register.mask)


def is_among(address, spans):
    """Return whether one of several ranges has an address."""
    return any(address in addresses for addresses in spans)


def finding_of(rule, entry, allow_unsafe):
    """Return the finding that an entry offends a rule."""
    remedy = remedy_for(rule, entry)
    return warning(entry, rule.why, remedy) if rule.level == WARN else refusal(entry, rule.why, remedy, allow_unsafe)


def refusal(entry, why, remedy, allow_unsafe):
    """Return a finding that a list must not be activated with, unless its address is allowed."""
    if entry.address in allow_unsafe:
        return warning(entry, why, 'Allowed by msr_safe_allow_unsafe.')
    remedy += ', or name 0x%X in msr_safe_allow_unsafe (msr-safe: --allow-unsafe).' % entry.address
    return Finding(REFUSE, entry.address, entry.line, message_of(entry, why, remedy))


def remedy_for(rule, entry):
    """Return what makes an entry keep a rule, without the full stop."""
    if rule.about == LISTED:
        return 'Take the register off the list'
    return 'Set its write mask to 0x%016X' % (entry.mask & ~rule.bits)


def table_findings(entry, register, offended, allow_unsafe):
    """Yield what our table of the CPU's registers has against an entry, beyond the rules that it offended."""
    if register is None:
        if any(rule.level == REFUSE for rule in offended):
            return
        if entry.mask:
            why = 'our table of this CPU does not have it, so nobody knows what writing it does'
            yield refusal(entry, why, 'Set its write mask to 0, if the manual of this CPU has it', allow_unsafe)
        else:
            yield warning(
                entry,
                'our table of this CPU does not have it, so nobody knows what it tells',
                'Take it off the list, unless the manual of this CPU has it',
            )._replace(crowd='our table of this CPU does not have them')
        return
    rest = entry.mask & ~register.mask
    for rule in offended:
        if rule.level == REFUSE:
            rest &= ~rule.bits
    if rest:
        why = 'the write mask has bits that this CPU does not define, or that must not be opened (0x%016X)' % rest
        yield refusal(entry, why, 'Set its write mask to 0x%016X' % (entry.mask & register.mask), allow_unsafe)


def masked_write_findings(entry, register):
    """Yield the warning that others notice the write of a mask, which is a read and a write on one CPU.

    What counts are bits that our tiers open and this mask does not. Those that no tier opens (locks, and what
    a site may open besides) belong to nobody who writes while jobs run.
    """
    left_out = register.mask & ~register.site & ~entry.mask if register and entry.mask else 0
    if not left_out:
        return
    bits_left_out = ', '.join(describe_bits(register, left_out))
    remedy = 'Set its write mask to 0x%016X, or to 0' % (entry.mask | left_out)
    if register.kind == 'status':
        if not is_among(entry.address, READ_AS_ZERO):
            yield clearing(entry, bits_left_out, remedy)
    elif register.scope not in ('', 'cpu'):
        yield warning(
            entry,
            'all CPUs of the %s share it, and a masked write reads and writes it on one of them: what the kernel or '
            'another job writes at the same moment through another CPU to the bits that the mask leaves out (%s) '
            'can be lost' % (register.scope, bits_left_out),
            remedy + ', or see to it that all who write it do so through one CPU of the %s' % register.scope,
        )._replace(
            crowd='CPUs share them, and their masks leave out bits: what others write to these at the same moment '
            'through another CPU can be lost'
        )


def clearing(entry, bits_left_out, remedy):
    """Return the warning that a masked write clears bits of a status that it does not mean."""
    if is_among(entry.address, CLEARED_BY_ZEROS):
        why = (
            'writing 0 clears its bits: what hardware logs between the read and the write of a masked write '
            'in the bits that the mask leaves out (%s) is lost'
        )
    else:
        why = (
            'writing 1 clears its bits: a masked write writes back what it read, which clears those that the mask '
            'leaves out (%s), too'
        )
    return warning(entry, why % bits_left_out, remedy)._replace(
        crowd='writing to some of their bits also clears those that the masks leave out'
    )


def name_findings(entry, register, registers):
    """Yield the warning that the name of an entry is that of another register."""
    named = registers.named(entry.name) if entry.name else []
    if register and named and all(each.address != entry.address for each in named):
        yield warning(
            entry,
            'the name belongs to 0x%X, the address is that of %s' % (named[0].address, describe(register)),
            'A number without 0x is decimal. Correct the address or the name',
        )
    elsewhere = registers.elsewhere.get(short_name(entry.name), ())
    if elsewhere and entry.address not in elsewhere:
        yield warning(
            entry,
            'the name belongs to %s on other CPUs' % ' or '.join('0x%X' % address for address in sorted(elsewhere)),
            'A number without 0x is decimal. Correct the address or the name',
        )


def neighbour_findings(entry, register):
    """Yield the warnings about what another job on a shared node feels or sees."""
    remedy = 'Take tier shared for nodes that several jobs share'
    if entry.mask:
        reach = {'cpu': 'the CPU', '': 'the CPU'}.get(register.scope, 'all CPUs of the %s' % register.scope)
        felt = warning(entry, 'another job on the node feels it: what is written holds for %s' % reach, remedy)
        yield felt._replace(crowd='another job on the node feels what is written to them. %s' % remedy)
    elif register.tier != 'shared':
        seen = warning(entry, 'another job on the node is seen in it', remedy)
        yield seen._replace(crowd='another job on the node is seen in them. %s' % remedy)


def mask_findings(entry, register):
    """Yield the warnings about a write mask that cannot be meant, where our table does not know better."""
    defined = DEFINED_BITS.get(entry.address, ALL) if register is None else ALL
    if entry.mask & ~defined:
        yield warning(
            entry,
            'the write mask has bits that the manual reserves (0x%016X)' % (entry.mask & ~defined),
            'Set its write mask to 0x%016X' % (entry.mask & defined),
        )
    is_meant = is_among(entry.address, CLEARED_BY_WRITING) or (register and register.mask)
    if entry.mask and entry.kind == 'status' and not is_meant:
        yield warning(
            entry,
            'hardware sets this status, so what a job writes is lost or hides what happened',
            'Set its write mask to 0',
        )


def warning(entry, why, remedy):
    """Return a finding that a list may be activated with."""
    return Finding(WARN, entry.address, entry.line, message_of(entry, why, remedy.rstrip('.') + '.'))


def message_of(entry, why, remedy):
    """Return the sentences of a finding: which register, why, what to do."""
    name = ' ' + entry.name if entry.name else ''
    return '0x%08X%s (write mask 0x%016X): %s. %s' % (entry.address, name, entry.mask, why, remedy)


def require_safe(entries, source, tier='power', shared=False, allow_unsafe=(), registers=NOBODY):
    """Return the warnings of a list as texts. Raises MsrSafeError where an entry is refused.

    source: names the list in messages, before the entry's line.
    """
    findings = lint(entries, tier, shared, allow_unsafe, registers, kept=False)
    if refused(findings):
        raise MsrSafeError(
            '%s would hand out the machine:\n%s'
            % (source, '\n'.join(locate(finding, source) for finding in refused(findings))),
        )
    return [locate(finding, source) for finding in findings if not finding.crowd] + crowds(findings, source)


def crowds(findings, source):
    """Return what many entries share, a line for each reason."""
    addresses = collections.OrderedDict()
    for finding in findings:
        if finding.crowd:
            addresses.setdefault(finding.crowd, []).append('0x%X' % finding.address)
    return [
        '%s: %s: %s. All of them: msr-safe lint.' % (source, join_some(found), crowd)
        for crowd, found in addresses.items()
    ]


def locate(finding, source):
    """Return a finding's message with the place before it: ``al_0655:12: 0x000003F1 …``."""
    place = source if finding.line is None else '%s:%d' % (source, finding.line)
    return '%s: %s' % (place, finding.message)
