# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The file of a kernel module, made in memory: an ELF64 object with nothing but a .modinfo section."""

import struct

SIGNATURE = b'\x30\x82any PKCS#7' + b'~Module signature appended~\n'


def module_file(signed=False, **information):
    """Return the bytes of a module file whose .modinfo says ``information``."""
    modinfo = b''.join(('%s=%s\0' % field).encode('ascii') for field in sorted(information.items()))
    names = b'\0.text\0.modinfo\0.shstrtab\0'
    sections = [(0, 0, b''), (names.index(b'.text'), 1, b'\xc3')]
    sections += [(names.index(b'.modinfo'), 1, modinfo), (names.index(b'.shstrtab'), 3, names)]
    body, headers = b'', b''
    for name, kind, content in sections:
        headers += struct.pack('<IIQQQQIIQQ', name, kind, 0, 0, 64 + len(body), len(content), 0, 0, 1, 0)
        body += content
    identification = b'\x7fELF\x02\x01\x01' + bytes(9)
    header = struct.pack('<HHIQQQIHHHHHH', 1, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, len(sections), 3)
    return identification + header + body + headers + (SIGNATURE if signed else b'')
