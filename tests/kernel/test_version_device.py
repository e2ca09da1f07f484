# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""/dev/cpu/msr_safe_version"""

import errno
import os
import re

import msr_devices


def test_reading_gives_the_module_version():
    with open('/sys/module/msr_safe/version') as file:
        version = file.read()
    with open(msr_devices.VERSION) as file:
        assert file.read() == version
    assert re.match(r'\d+\.\d+\.\d+\n\Z', version)
    assert [int(part) for part in version.split('.')] >= [1, 4]


def test_reading_in_small_pieces():
    fd = os.open(msr_devices.VERSION, os.O_RDONLY)
    pieces = list(iter(lambda: os.read(fd, 1), b''))
    os.close(fd)
    with open(msr_devices.VERSION, 'rb') as file:
        assert b''.join(pieces) == file.read()


def test_writing_is_refused():
    fd = os.open(msr_devices.VERSION, os.O_WRONLY)
    err = msr_devices.errno_of(os.write, fd, b'9.9.9')
    os.close(fd)
    assert err == errno.EINVAL


def test_srcversion_tells_which_source_was_built():
    with open('/sys/module/msr_safe/srcversion') as file:
        assert re.match(r'[0-9A-F]+\n\Z', file.read())
