# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The CPUs of a machine: which processor it is, and which CPUs are online."""

from ..errors import MsrSafeError
from .cpulist import format_cpulist, parse_cpulist

# Words for CPUs -> the files below topology/ that are equal on those of which one is enough.
SELECTIONS = {
    'all': (),
    'one_per_package': ('physical_package_id',),
    'one_per_die': ('physical_package_id', 'die_id'),
    'one_per_core': ('physical_package_id', 'thread_siblings_list'),
}
# Kernels before 5.3 do not tell dies: there a package is one.
WITHOUT_DIES = {'die_id': '0'}


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


def select_cpus(machine, text, scope=''):
    """Return the CPU numbers that a text means: a cpulist, or one of the words of SELECTIONS.

    scope: of the register that it is for: what there is once per die is not
    done with once per package. Raises MsrSafeError for a CPU that is offline or
    does not exist.
    """
    online = online_cpus(machine)
    if (text, scope) == ('one_per_package', 'die'):
        text = 'one_per_die'
    if text == 'all':
        return online
    if text in SELECTIONS:
        return first_of_each(machine, online, SELECTIONS[text])
    cpus = parse_cpulist(text)
    absent = sorted(set(cpus) - set(online))
    if absent or not cpus:
        raise MsrSafeError(
            'CPU %s is not online.' % format_cpulist(absent) if absent else 'No CPU is given.',
            'Online are %s. Or give one of these words: %s.' % (format_cpulist(online), ', '.join(SELECTIONS)),
        )
    return cpus


def first_of_each(machine, cpus, files):
    """Return the first CPU of each package, die or core: of those that have the same texts in files of the kernel."""
    first = {}
    for cpu in cpus:
        texts = tuple(
            machine.read_text('/sys/devices/system/cpu/cpu%d/topology/%s' % (cpu, name)) or WITHOUT_DIES.get(name)
            for name in files
        )
        if None in texts:
            raise MsrSafeError('The kernel does not tell the topology of CPU %d.' % cpu, 'Give CPU numbers.')
        first.setdefault(texts, cpu)
    return sorted(first.values())


def describe_cpu(cpu):
    """Return a processor in words: ``GenuineIntel family 6 model 85 (al_0655)``."""
    return '%s family %d model %d (%s)' % (cpu.get('vendor', 'CPU'), cpu['family'], cpu['model'], list_name(cpu))


def list_name(cpu):
    """Return the name of a processor's approved list, for example ``al_0655``."""
    return 'al_%.2x%x' % (cpu['family'], cpu['model'])
