# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet for audits that exists on paper: nodes of four kinds with 128 CPUs and 100 registers, twelve of them planted.

What it yields is what the module msr_audit_info returns, node by node.
"""

import json

REGISTERS = 100
CPUS = 128

KINDS = (
    # prefix, share, vendor, family, model, stepping, name, partition
    ('skl', 0.40, 'GenuineIntel', 6, 0x55, 4, 'Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz', 'batch'),
    ('icx', 0.30, 'GenuineIntel', 6, 0x6A, 6, 'Intel(R) Xeon(R) Platinum 8358 CPU @ 2.60GHz', 'batch'),
    ('spr', 0.20, 'GenuineIntel', 6, 0x8F, 8, 'Intel(R) Xeon(R) Platinum 8480+', 'large'),
    ('mil', 0.10, 'AuthenticAMD', 25, 1, 1, 'AMD EPYC 7763 64-Core Processor', 'gpu'),
)

# What registers hold after boot; addresses that a kind does not have are left out.
INTEL = {
    0xCE: 0x00080838F1011800,
    0x17: 0x001C000000000000,
    0x1A0: 0x0000000000850089,
    0x1A2: 0x0000000000590000,
    0x1A4: 0x0000000000000000,
    0x1AD: 0x1F1F1F2122232525,
    0x1AE: 0x1C1814100C080402,
    0x1B0: 0x0000000000000006,
    0x1FC: 0x0000000000240042,
    0x606: 0x00000000000A0E03,
    0x610: 0x0040868000158668,
    0x614: 0x0000000001500668,
    0x618: 0x0000000000000000,
    0x620: 0x0000000000000C18,
    0x770: 0x0000000000000001,
    0x771: 0x0000000008101825,
    0x774: 0x0000000080002508,
}
AMD = {
    0xC0010015: 0x0000000049000011,
    0xC0010064: 0x8000000049120890,
    0xC0010065: 0x80000000491F0870,
    0xC0010299: 0x00000000000A1003,
    0xC0000108: 0x0000000000000000,
}


def observations(count, planted=True, time=0):
    """Yield (name, observation or None, failure or None, what is equal) of a fleet of so many nodes."""
    for kind, size in zip(KINDS, sizes(count)):
        template = json.dumps(observation(kind))
        for number in range(1, size + 1):
            name = '%s%0*d' % (kind[0], len(str(size)) if size > 9 else 2, number)
            observed = json.loads(template)
            governed(observed, number + time)
            failure = plant(observed, kind[0], number, size) if planted else None
            yield name, None if failure else observed, failure, {'partition': kind[7]}


def sizes(count):
    if count < len(KINDS):
        return [count, 0, 0, 0]
    parts = [int(count * kind[1]) for kind in KINDS]
    return [parts[0] + count - sum(parts), *parts[1:]]


def observation(kind):
    _prefix, _share, vendor, family, model, stepping, name, _partition = kind
    values = dict(INTEL if vendor == 'GenuineIntel' else AMD)
    unnamed = (0x30000 + number for number in range(REGISTERS))
    while len(values) < REGISTERS - (vendor == 'GenuineIntel'):
        values[next(unnamed)] = 0x1000 + len(values)
    return {
        'cpu': {
            'vendor': vendor,
            'family': family,
            'model': model,
            'stepping': stepping,
            'microcode': '0x2007006',
            'model_name': name,
            'online': '0-%d' % (CPUS - 1),
        },
        'packages': ['0-31,64-95', '32-63,96-127'],
        'kernel': '5.14.0-503.15.1.el9_5.x86_64',
        'bios': 'American Megatrends 3.4 10/30/2024',
        'product': 'Supermicro SYS-2029TP',
        'cpufreq': 'intel_pstate' if vendor == 'GenuineIntel' else 'acpi-cpufreq',
        'governor': 'performance',
        'stock_driver': False,
        'policy': None,
        'deferred': [],
        'module': {'version': '2.0.0', 'ours': True},
        'approved_list': {'sha256': '9f31c0de' * 8, 'registers': 128, 'writable': 41, 'installed': True},
        'registers': {'0x%08X' % address: [everywhere(value), {}] for address, value in sorted(values.items())},
    }


def everywhere(value):
    return {'0x%016x' % value: '0-%d' % (CPUS - 1)}


def governed(observed, seed):
    """Let the frequency that the kernel asks for differ on each node, as it does."""
    if observed['cpu']['vendor'] == 'GenuineIntel':
        held = {}
        for cpu in range(0, CPUS, 16):
            held.setdefault('0x%016x' % ((8 + (seed * 7 + cpu) % 29) << 8), []).append('%d-%d' % (cpu, cpu + 15))
        observed['registers']['0x00000199'] = [{value: ','.join(cpus) for value, cpus in held.items()}, {}]


def plant(observed, prefix, number, size):
    """Give some nodes one of the twelve deviations; return a failure where the node is down."""
    registers = observed['registers']
    if prefix == 'skl' and size < 10:
        if number == 2:  # a power limit of 165 W, where 205 W is equal nodes'
            registers['0x00000610'] = [everywhere(0x0040868000158528), {}]
        return None
    if prefix == 'skl':
        first = size // 3
        if first <= number < first + max(2, size // 17):  # a power limit of 165 W in some racks
            registers['0x00000610'] = [everywhere(0x0040868000158528), {}]
        elif number in (size // 2, size // 2 + 1):
            message = 'Failed to connect to the host via ssh: connect to host port 22: No route to host'
            return {'kind': 'unreachable', 'message': message}
        elif number == size - 3:  # turbo off on one CPU
            registers['0x000001A0'] = [
                {'0x0000000000850089': '0-16,18-127', '0x0000004000850089': '17'},
                {},
            ]
        elif number == size - 5:  # no msr-safe
            observed.update(module=None, approved_list=None, stock_driver=True, registers={})
        elif number > size - 2:  # its limits locked by a BIOS
            registers['0x00000610'] = [everywhere(0x8040868000158668), {}]
    elif prefix == 'icx':
        if number <= max(1, size // 50):  # an older list
            observed['approved_list'] = dict(observed['approved_list'], sha256='1b20aa77' * 8, registers=119)
        elif number in (size // 2, size // 2 + 1, size // 2 + 2):  # prefetchers off
            registers['0x000001A4'] = [everywhere(0xF), {}]
        elif number == size - 1:  # uncore held down on the second package
            registers['0x00000620'] = [
                {'0x0000000000000c18': '0-31,64-95', '0x0000000000000c10': '32-63,96-127'},
                {},
            ]
    elif prefix == 'spr':
        if size // 4 <= number < size // 4 + max(1, size // 20):  # kernel behind
            observed['kernel'] = '5.14.0-427.42.1.el9_4.x86_64'
        elif number > size - max(2, size // 40):  # saving energy rather than time
            registers['0x00000774'] = [everywhere(0x80002508 | 0x40000000), {}]
    elif prefix == 'mil':
        if number in (1, 2):
            observed['cpu']['microcode'] = '0xa001137'
        elif number == size:
            offline(observed, 127)
    return None


def offline(observed, cpu):
    """Take the last CPU offline."""
    observed['cpu']['online'] = '0-%d' % (cpu - 1)
    observed['packages'] = ['0-31,64-95', '32-63,96-%d' % (cpu - 1)]
    for readings in observed['registers'].values():
        readings[0] = {value: cpus.replace('-%d' % cpu, '-%d' % (cpu - 1)) for value, cpus in readings[0].items()}


def record(recorder, count, **options):
    """Record a fleet with an audit's Recorder and return its Run."""
    for name, observed, failure, equal in observations(count, **options):
        if failure:
            recorder.add_failure(name, failure['kind'], failure['message'], equal)
        else:
            recorder.add(name, observed, equal)
    return recorder.run


def audited(count, directory):
    """Audit a fleet that was fine yesterday; return the path of its page."""
    from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.run import Recorder
    from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
    from ansible_collections.hpc.msr_safe.plugins.plugin_utils.audit import audit

    settings = {
        'directory': str(directory),
        'title': 'Audit of registers',
        'baseline': None,
        'keep': 30,
        'keep_days': 0,
    }
    for when, planted in (('2026-11-26T06:00:00Z', False), ('2026-11-27T06:00:00Z', True)):
        audit(Machine(), record(Recorder(when), count, planted=planted), settings)
    return directory / 'index.html'
