# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Kernel lockdown, which only a reboot lifts: on a node that has none, these tests are skipped.

MSR_SAFE_LOCKDOWN=1 makes them raise it.
"""

import errno
import os
import struct

import msr_devices
import pytest
from msr_devices import SCRATCH

LOCKDOWN = '/sys/kernel/security/lockdown'
PARAMETER = '/sys/module/msr_safe/parameters/honor_lockdown'


def is_locked_down():
    if not os.path.exists(LOCKDOWN):
        return False
    with open(LOCKDOWN) as file:
        return '[none]' not in file.read()


@pytest.fixture(autouse=True)
def lockdown():
    if os.environ.get('MSR_SAFE_LOCKDOWN') and not is_locked_down():
        with open(LOCKDOWN, 'w') as file:
            file.write('integrity')
    if not is_locked_down():
        pytest.skip('no kernel lockdown here')


@pytest.fixture
def honored():
    with open(PARAMETER) as file:
        return file.read().strip() == 'Y'


def test_writing_a_register(cpu_fd, honored):
    expected = errno.EPERM if honored else 0
    assert msr_devices.errno_of(os.pwrite, cpu_fd, struct.pack('=Q', 5), SCRATCH) == expected


def test_reading_goes_on(cpu_fd):
    assert len(os.pread(cpu_fd, 8, SCRATCH)) == 8


def test_a_batch_with_a_write(honored):
    err, done = msr_devices.run_batch([msr_devices.read_op(0, SCRATCH), msr_devices.write_op(0, SCRATCH, 5)])
    assert err == (errno.EPERM if honored else 0)
    assert [-op.err for op in done] == ([errno.ECANCELED, errno.EPERM] if honored else [0, 0])


def test_it_cannot_be_talked_away():
    assert msr_devices.errno_of(os.open, PARAMETER, os.O_WRONLY) == errno.EACCES
    os.chmod(PARAMETER, 0o644)
    fd = os.open(PARAMETER, os.O_WRONLY)
    assert msr_devices.errno_of(os.write, fd, b'N') == errno.EIO
    os.close(fd)
    os.chmod(PARAMETER, 0o444)


def test_a_batch_of_reads():
    assert msr_devices.run_batch([msr_devices.read_op(0, SCRATCH)])[0] == 0
