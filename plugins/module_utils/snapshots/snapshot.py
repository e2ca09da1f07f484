# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The snapshot: what a node's registers held at one time (format version 1)."""

import hashlib
import json
import re
import time

from ..access.reading import describe_error
from ..approved_lists.approved_list import KINDS, digest_list
from ..errors import MsrSafeError
from ..hardware.cpulist import format_cpulist, parse_cpulist
from ..hexadecimal import format_address, format_value

FORMAT = 'hpc.msr_safe snapshot'
VERSION = 1

# What a node does not tell of itself
UNKNOWN = 'unknown'


def build_snapshot(node, entries, cpus, readings):
    """Return a snapshot: a dictionary, as it stands in the file without its checksum.

    node: as from describe_node; entries: the list in force, named; cpus: those
    that were read; readings: {address: Reading} of the registers to keep.
    """
    snapshot = {'format': FORMAT, 'version': VERSION}
    snapshot.update(node)
    snapshot['cpus'] = format_cpulist(cpus)
    snapshot['approved_list_sha256'] = digest_list(entries)
    snapshot['registers'] = {
        format_address(entry.address): build_register(entry, readings[entry.address])
        for entry in entries
        if entry.address in readings
    }
    return snapshot


def build_register(entry, reading):
    """Return one register of a snapshot: which CPUs hold which value, or failed how."""
    return {
        'name': entry.name,
        'kind': entry.kind,
        'write_mask': format_value(entry.mask),
        'values': {format_value(value): format_cpulist(cpus) for value, cpus in reading.values.items()},
        'errors': {describe_error(error): format_cpulist(cpus) for error, cpus in reading.errors.items()},
    }


def describe_node(machine, cpu):
    """Return the part of a snapshot's header that says when and where it was taken."""
    return {
        'created': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
        'host': machine.read_text('/proc/sys/kernel/hostname') or UNKNOWN,
        'boot_id': machine.read_text('/proc/sys/kernel/random/boot_id') or UNKNOWN,
        'kernel_release': machine.read_text('/proc/sys/kernel/osrelease') or UNKNOWN,
        'cpu': cpu,
    }


def render_snapshot(snapshot):
    """Return the file's text: JSON, the header a field a line, then a register a line."""
    header = {key: value for key, value in snapshot.items() if key != 'registers'}
    header['sha256'] = checksum(snapshot)
    order = [
        'format',
        'version',
        'created',
        'host',
        'boot_id',
        'kernel_release',
        'cpu',
        'cpus',
        'approved_list_sha256',
        'sha256',
    ]
    lines = [' %s: %s' % (json.dumps(key), json.dumps(header[key], sort_keys=True)) for key in order]
    registers = ',\n'.join(
        '  %s: %s' % (json.dumps(address), json.dumps(register, sort_keys=True))
        for address, register in sorted(snapshot['registers'].items())
    )
    return '{\n%s,\n "registers": {\n%s\n }\n}\n' % (',\n'.join(lines), registers)


def checksum(snapshot):
    """Return the sha256 (hex) over a snapshot's content, its own checksum left out."""
    content = {key: value for key, value in snapshot.items() if key != 'sha256'}
    text = json.dumps(content, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode('utf-8')).hexdigest()


def require_place(*paths):
    """Raise MsrSafeError where none of several paths says where a snapshot is."""
    if not any(paths):
        raise MsrSafeError(
            'Nothing says where the snapshot is.',
            'Does path, or controller_directory, come from a variable that is empty?',
        )


def parse_snapshot(text, path, accept_edited=False):
    """Return the snapshot of a file's text. ``path`` names the file in errors.

    Raises MsrSafeError where the file is truncated, is something else, is of
    a later version, or was changed since it was saved (that one unless
    accept_edited).
    """
    try:
        snapshot = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MsrSafeError(
            '%s is damaged: it is not whole JSON (%s).' % (path, error),
            'It was truncated or overwritten: take the snapshot from a backup.',
        ) from error
    if not isinstance(snapshot, dict) or snapshot.get('format') != FORMAT:
        raise MsrSafeError('%s is not a snapshot of registers.' % path, 'Give a file that msr_save or msrsave wrote.')
    if snapshot.get('version') != VERSION:
        raise MsrSafeError(
            '%s is a snapshot of format version %s; this release reads version %d.'
            % (path, snapshot.get('version'), VERSION),
            'Use the release of hpc.msr_safe that saved it, or a newer one.',
        )
    if snapshot.get('sha256') != checksum(snapshot) and not accept_edited:
        raise MsrSafeError(
            '%s was changed after it was saved: its checksum does not match.' % path,
            'Take the snapshot from a backup, or accept it as it is: edited_file.',
        )
    snapshot = with_cpus(snapshot)
    check_shape(snapshot, path)
    return snapshot


def with_cpus(snapshot):
    """Return a snapshot that says which CPUs were read, which the first ones did not: all that were online."""
    cpu = snapshot.get('cpu')
    if 'cpus' in snapshot or not isinstance(cpu, dict) or 'online' not in cpu:
        return snapshot
    return dict(snapshot, cpus=cpu['online'])


def check_shape(snapshot, path):
    """Raise MsrSafeError where a part of the snapshot is missing or malformed."""
    try:
        cpu = snapshot['cpu']
        for field, kind in (('vendor', str), ('family', int), ('model', int)):
            if not isinstance(cpu[field], kind):
                raise ValueError('cpu %s' % field)
        parse_cpulist(cpu['online'])
        parse_cpulist(snapshot['cpus'])
        for address, register in snapshot['registers'].items():
            check_register(address, register)
    except MsrSafeError as error:
        raise MsrSafeError('%s is malformed: %s' % (path, error.problem), 'Take the snapshot from a backup.') from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MsrSafeError('%s is malformed: %s.' % (path, error), 'Take the snapshot from a backup.') from error


def check_register(address, register):
    hexadecimal = re.compile(r'0x[0-9a-fA-F]{1,16}\Z')
    if not re.match(r'0x[0-9A-F]{8}\Z', address):
        raise ValueError('%s is not the address of a register' % address)
    if not isinstance(register['name'], str):
        raise ValueError('register %s has no name' % address)
    for number in [register['write_mask'], *list(register['values'])]:
        if not hexadecimal.match(number):
            raise ValueError('%s in register %s is not a hexadecimal number' % (number, address))
    if register['kind'] not in KINDS:
        raise ValueError('register %s is of unknown kind %r' % (address, register['kind']))
    groups = [parse_cpulist(cpus) for part in ('values', 'errors') for cpus in register[part].values()]
    if len(groups) > 1 and sum(map(len, groups)) > len(set().union(*groups)):
        raise ValueError('register %s says two things of a CPU' % address)


def snapshot_values(register):
    """Return {value: [CPU]} of one register of a snapshot."""
    values = {}
    for value, cpus in register['values'].items():
        values.setdefault(int(value, 16), []).extend(parse_cpulist(cpus))
    return values


def snapshot_errors(register):
    """Return {why it could not be read: [CPU]} of one register of a snapshot."""
    return {error: parse_cpulist(cpus) for error, cpus in register['errors'].items()}


def same_content(one, other, moving=True):
    """Return whether two snapshots hold the same of what can be restored.

    The time they were taken, and bits outside of the write masks (temperatures, a lock), may differ. moving: whether
    the values of counters, status and governed registers, which change by themselves, are to be the same, too.
    """
    return restorable(one, moving) == restorable(other, moving)


def restorable(snapshot, moving):
    """Return what a snapshot says, less the time and the bits that no restore writes; moving: as same_content."""
    content = {key: value for key, value in snapshot.items() if key not in ('created', 'sha256')}
    content['registers'] = {
        address: dict(register, values=masked_values(register) if moving or is_still(register) else None)
        for address, register in snapshot['registers'].items()
    }
    return content


def is_still(register):
    return register.get('kind', 'configuration') == 'configuration'


def masked_values(register):
    """Return {bits of the write mask: [CPU]} of one register of a snapshot."""
    masked, mask = {}, int(register['write_mask'], 16)
    for value, cpus in snapshot_values(register).items():
        masked[value & mask] = sorted(masked.get(value & mask, []) + list(cpus))
    return masked


def summarize_unreadable(snapshot):
    """Return what a snapshot could not read: ``[{'address', 'name', 'error', 'cpus': cpulist}]``."""
    return [
        {'address': address, 'name': register['name'], 'error': error, 'cpus': cpus}
        for address, register in sorted(snapshot['registers'].items())
        for error, cpus in sorted(register['errors'].items())
    ]
