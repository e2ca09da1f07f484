# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The CPUs of a machine: which processor it is, and which CPUs are online."""

from .cpulist import format_cpulist, parse_cpulist
from .errors import MsrSafeError


def read_cpu(machine):
    """Return the processor as the kernel knows it, from /proc/cpuinfo.

    Shape: ``{'vendor': str, 'family': int, 'model': int, 'stepping': int,
    'microcode': str, 'model_name': str, 'online': cpulist}``. Family and model
    are the kernel's, extended parts included. Raises MsrSafeError where
    /proc/cpuinfo does not describe an x86 processor.
    """
    fields = first_processor(machine.read_text('/proc/cpuinfo') or '')
    try:
        return {
            'vendor': fields['vendor_id'],
            'family': int(fields['cpu family']),
            'model': int(fields['model']),
            'stepping': int(fields['stepping']),
            'microcode': fields.get('microcode', 'unknown'),
            'model_name': fields.get('model name', 'unknown'),
            'online': format_cpulist(online_cpus(machine)),
        }
    except (KeyError, ValueError):
        raise MsrSafeError(
            '/proc/cpuinfo does not name an x86 processor (vendor_id, cpu family, model, stepping).',
            'Model-specific registers exist on x86 only: limit the play to x86 nodes.',
        ) from None


def first_processor(cpuinfo):
    """Return the fields of the first processor of a /proc/cpuinfo text."""
    fields = {}
    for line in cpuinfo.splitlines():
        if not line.strip():
            break
        name, _dummy, value = line.partition(':')
        fields[name.strip()] = value.strip()
    return fields


def online_cpus(machine):
    """Return the numbers of the CPUs that are online, ascending. Raises MsrSafeError."""
    path = '/sys/devices/system/cpu/online'
    online = machine.read_text(path)
    if not online:
        raise MsrSafeError('%s does not say which CPUs are online.' % path, 'Is /sys mounted?')
    return parse_cpulist(online)


def describe_cpu(cpu):
    """Return a processor in words: ``GenuineIntel family 6 model 85 (al_0655)``."""
    return '%s family %d model %d (%s)' % (cpu.get('vendor', 'CPU'), cpu['family'], cpu['model'], list_name(cpu))


def list_name(cpu):
    """Return the name of a processor's approved list, for example ``al_0655``."""
    return 'al_%.2x%x' % (cpu['family'], cpu['model'])
