# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The file of a kernel module: what its .modinfo section says."""

import struct

from ..errors import MsrSafeError

SIGNATURE_END = b'~Module signature appended~\n'


def read_module_file(machine, path):
    """Return what a module file says of itself, or None where there is no file.

    Shape: the keys of its .modinfo section (version, srcversion, vermagic,
    source_digest, …) as text, 'signed' as bool and 'path'. Raises MsrSafeError
    where the file is no kernel module.
    """
    content = machine.read(path)
    if content is None:
        return None
    try:
        section = elf64_section(content, b'.modinfo')
    except (struct.error, OverflowError, ValueError):
        raise MsrSafeError('%s is not a kernel module.' % path, 'Remove it and apply the role again.') from None
    information = {}
    for field in section.split(b'\0'):
        name, equals, value = field.decode('ascii', 'replace').partition('=')
        if equals:
            information.setdefault(name, value)
    information['path'] = path
    information['signed'] = content.endswith(SIGNATURE_END)
    return information


def elf64_section(content, name):
    """Return the bytes of a section of a little-endian ELF64 file (System V ABI, ELF-64 object format 1.5).

    Raises ValueError or struct.error where there is none.
    """
    if content[:6] != b'\x7fELF\x02\x01':
        raise ValueError('not ELF64')
    table, entry_size, count, names_index = struct.unpack_from('<Q10xHHH', content, 40)

    def section(index):
        header = struct.unpack_from('<II8x8xQQ', content, table + index * entry_size)
        return header[0], header[2], header[3]

    _dummy, names_offset, names_size = section(names_index)
    names = content[names_offset : names_offset + names_size]
    for index in range(count):
        name_offset, offset, size = section(index)
        if names[name_offset : names.index(b'\0', name_offset)] == name:
            return content[offset : offset + size]
    raise ValueError('no section %r' % name)
