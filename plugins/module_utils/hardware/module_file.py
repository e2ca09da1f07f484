# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The file of a kernel module: what its .modinfo section says."""

import os
import struct

from ..errors import MsrSafeError

SIGNATURE_END = b'~Module signature appended~\n'

# How compressed files begin
XZ, GZIP, ZSTANDARD = b'\xfd7zXZ\0', b'\x1f\x8b', b'\x28\xb5\x2f\xfd'
# For zlib.decompress: a gzip header, and the largest window
GZIP_WINDOW = 31


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
        content = decompressed(content)
        information = modinfo(content)
    except ValueError:
        information = ask_modinfo(machine, path) if content.startswith(ZSTANDARD) else None
        if not information:
            raise MsrSafeError('%s is not a kernel module.' % path, 'Remove it and apply the role again.') from None
        is_signed = 'sig_id' in information
    else:
        is_signed = content.endswith(SIGNATURE_END)
    information['path'] = path
    information['signed'] = is_signed
    return information


def ask_modinfo(machine, path):
    """Return the keys and values that modinfo(8) tells of a module, for what Python cannot read; {} where it fails."""
    code, output = machine.run(['modinfo', '-0', path])
    information = {}
    for field in output.split('\0') if code == 0 else []:
        name, equals, value = field.partition('=')
        if equals:
            information.setdefault(name, value)
    return information


def examine_module_file(machine, path):
    """Return read_module_file; of a file that is no kernel module ``{'path', 'signed': False, 'damaged': True}``."""
    try:
        return read_module_file(machine, path)
    except MsrSafeError:
        return {'path': path, 'signed': False, 'damaged': True}


def read_kernel_vermagic(machine, release):
    """Return what a kernel wants its modules to say in their vermagic, or None where none of its own can be read.

    Any module that came with the kernel says it; those of some distributions are compressed so that Python cannot.
    """
    directory = '/lib/modules/%s/kernel' % release
    for parent, directories, names in os.walk(machine.path(directory)):
        directories.sort()
        for name in sorted(names):
            try:
                with open(os.path.join(parent, name), 'rb') as stream:
                    return modinfo(decompressed(stream.read())).get('vermagic', '').strip() or None
            except (OSError, ValueError):
                return None
    return None


def has_vermagic(module, release, vermagic):
    """Return whether a module (as from read_module_file) is for a kernel.

    vermagic: as from read_kernel_vermagic; where that is None, the release decides, which is its first word.
    """
    own = module.get('vermagic', '').strip()
    return own == vermagic if vermagic else own.partition(' ')[0] == release


def decompressed(content):
    """Return the bytes of a module file, which may be compressed with xz or gzip. Raises ValueError where they are not.

    What is compressed with zstd stays as it is: before 3.14, Python does not know it.
    """
    if content.startswith(XZ):
        return without_xz(content)
    if content.startswith(GZIP):
        return without_gzip(content)
    return content


def without_xz(content):
    try:
        import lzma  # Not every Python is built with it

        return lzma.decompress(content)
    except (ImportError, lzma.LZMAError) as error:
        raise ValueError(str(error)) from error


def without_gzip(content):
    import zlib

    try:
        return zlib.decompress(content, GZIP_WINDOW)
    except zlib.error as error:
        raise ValueError(str(error)) from error


def modinfo(content):
    """Return the keys and values of a module's .modinfo section, the first of each key.

    Raises ValueError where the bytes are no kernel module.
    """
    try:
        section = elf64_section(content, b'.modinfo')
    except (struct.error, OverflowError) as error:
        raise ValueError(str(error)) from error
    information = {}
    for field in section.split(b'\0'):
        name, equals, value = field.decode('ascii', 'replace').partition('=')
        if equals:
            information.setdefault(name, value)
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
