# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""An observation: what an audit collects of a node, at once."""

import hashlib

from ..access import operator
from ..access.reading import describe_error
from ..access.registers import observe_access
from ..approved_lists.active import read_active_list, read_installed_list, with_names
from ..approved_lists.approved_list import digest_list
from ..errors import MsrSafeError
from ..hardware.cpu import read_cpu
from ..hardware.cpulist import format_cpulist, parse_cpulist
from ..hardware.devices import approved_list_device, has_stock_driver
from ..hardware.frequency import frequency_driver
from ..hardware.kernel_module import observe_loaded_module
from ..hardware.module_file import examine_module_file
from ..hexadecimal import format_address, format_value
from ..layout import POLICY, supplied_modules
from ..provisioning.deferred import DEFERRED, DEFERRED_OF_SLURM, read_deferred
from ..settings.definitions import unpack
from .moving import is_compared

CPUS = '/sys/devices/system/cpu'
FIRMWARE = '/sys/class/dmi/id'


def observe_for_audit(machine, definitions=()):
    """Return what an audit compares, as plain data. Never changes anything.

    definitions: of registers that are looked at whatever the list says, as far as this processor has them.
    Works with any msr-safe on the node, and without one. The shape is the
    RETURN of msr_audit_info. Raises MsrSafeError where what is there may not be read.
    """
    cpu, kernel = read_cpu(machine), machine.read_text('/proc/sys/kernel/osrelease') or 'unknown'
    approved_list, entries = observe_list(machine)
    return {
        'cpu': cpu,
        'packages': observe_packages(machine, parse_cpulist(cpu['online'])),
        'kernel': kernel,
        'bios': ' '.join(firmware(machine, name) for name in ('bios_vendor', 'bios_version', 'bios_date')).strip(),
        'product': ' '.join(firmware(machine, name) for name in ('sys_vendor', 'product_name')).strip(),
        'cpufreq': frequency_driver(machine),
        'governor': machine.read_text(CPUS + '/cpu0/cpufreq/scaling_governor') or '',
        'stock_driver': has_stock_driver(machine),
        'module': observe_module(machine, kernel),
        'approved_list': approved_list,
        'policy': digest(machine.read(POLICY)),
        'deferred': [each for path in (DEFERRED, DEFERRED_OF_SLURM) for each in read_deferred(machine, path)],
        'registers': observe_registers(machine, [*entries, *unlisted(entries, definitions, cpu)], cpu),
    }


def digest(content):
    """Return the checksum of a file's bytes, or None where there is no file."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def firmware(machine, name):
    return machine.read_text('%s/%s' % (FIRMWARE, name)) or ''


def observe_packages(machine, cpus):
    """Return the CPUs of each package, in the kernel's order: [cpulist]."""
    packages = {}
    for cpu in cpus:
        number = machine.read_text('%s/cpu%d/topology/physical_package_id' % (CPUS, cpu)) or '0'
        packages.setdefault(int(number), []).append(cpu)
    return [format_cpulist(cpus) for _number, cpus in sorted(packages.items())]


def observe_module(machine, kernel):
    """Return the module in the kernel, ``{'version': str or None, 'ours': bool}``, or None.

    ours: is it one that this collection built, which the role, DKMS or a package installed?
    """
    loaded = observe_loaded_module(machine)
    if loaded is None:
        return None
    files = [examine_module_file(machine, path) or {} for path in supplied_modules(kernel)]
    ours = any('source_digest' in file and file.get('srcversion') == loaded['srcversion'] for file in files)
    return {'version': loaded['version'], 'ours': ours}


def observe_list(machine):
    """Return (the list in force or None, its entries, named).

    Shape of the list: ``{'sha256': hex, 'registers': int, 'writable': int,
    'installed': is it that of the node's own file, or None without a file}``.
    """
    try:
        approved_list_device(machine)
    except MsrSafeError:
        return None, []
    entries, installed = read_active_list(machine), read_installed_list(machine)
    digest = digest_list(entries)
    return {
        'sha256': digest,
        'registers': len(entries),
        'writable': len([entry for entry in entries if entry.mask]),
        'installed': digest == digest_list(installed) if installed else None,
    }, with_names(entries, installed)


def unlisted(entries, definitions, cpu):
    """Return those of the registers in definitions that a list lacks."""
    listed = {entry.address for entry in entries}
    registers = unpack(definitions, cpu).by_address.values()
    return [register for register in registers if register.address not in listed]


def observe_registers(machine, entries, cpu):
    """Return ``{address: [{value: cpulist}, {why it could not be read: cpulist}]}`` of what is compared.

    entries: of the list, or registers, with address, name and kind. Those without a name or kind are read, too: the
    controller, which has the table, tells.
    """
    if not observe_access(machine):
        return {}
    addresses = sorted(entry.address for entry in entries if is_compared(entry.name, entry.kind))
    readings = operator.read_registers(machine, addresses, parse_cpulist(cpu['online']))
    return {
        format_address(address): [
            {format_value(value): format_cpulist(cpus) for value, cpus in reading.values.items()},
            {describe_error(error): format_cpulist(cpus) for error, cpus in reading.errors.items()},
        ]
        for address, reading in readings.items()
    }
