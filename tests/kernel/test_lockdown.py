# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Kernel lockdown, which only a reboot lifts: on a node that has none, these tests are skipped.

MSR_SAFE_LOCKDOWN=1 makes them raise it.
"""

import ctypes
import errno
import os
import struct

import msr_devices
import pytest
import user_fault
from msr_devices import SCRATCH

LOCKDOWN = '/sys/kernel/security/lockdown'
PARAMETER = '/sys/module/msr_safe/parameters/honor_lockdown'


def is_locked_down():
    if not os.path.exists(LOCKDOWN):
        return False
    with open(LOCKDOWN) as file:
        return '[none]' not in file.read()


def is_honored():
    with open(PARAMETER) as file:
        return file.read().strip() == 'Y'


def raise_lockdown():
    with open(LOCKDOWN, 'w') as file:
        file.write('integrity')


@pytest.fixture(autouse=True)
def lockdown(request):
    if request.function is test_it_is_raised_while_a_write_waits_for_its_value:
        return
    if os.environ.get('MSR_SAFE_LOCKDOWN') and not is_locked_down():
        raise_lockdown()
    if not is_locked_down():
        pytest.skip('no kernel lockdown here')


@pytest.fixture
def honored():
    return is_honored()


@pytest.mark.skipif(not os.environ.get('MSR_SAFE_LOCKDOWN'), reason='no kernel lockdown here')
def test_it_is_raised_while_a_write_waits_for_its_value(cpu_fd, honored):
    """First of all: only before it is raised can it be."""
    assert not is_locked_down()
    os.pwrite(cpu_fd, struct.pack('=Q', 1), SCRATCH)
    page = user_fault.LatePage()
    address, size = ctypes.c_void_p(page.address), ctypes.c_size_t(8)
    parked = user_fault.Parked(page, msr_devices.libc.pwrite, cpu_fd, address, size, ctypes.c_long(SCRATCH))
    raise_lockdown()
    assert parked.finish(struct.pack('=Q', 2)) == ((-1, errno.EPERM) if honored else (8, 0))
    page.close()
    assert os.pread(cpu_fd, 8, SCRATCH) == struct.pack('=Q', 1 if honored else 2)


def test_a_lease_that_ends_under_it(honored, log):
    """Nothing is written for it either, and nothing can have been."""
    fd = os.open(msr_devices.BATCH, os.O_RDWR)
    assert msr_devices.begin_lease(fd) == 0
    before = msr_devices.read_register(0, SCRATCH)
    err, _done = msr_devices.run_batch_of(fd, [msr_devices.write_op(0, SCRATCH, before ^ 1)])
    assert err == (errno.EPERM if honored else 0)
    os.close(fd)
    assert msr_devices.read_register(0, SCRATCH) == before


def test_writing_a_register(cpu_fd, honored):
    expected = errno.EPERM if honored else 0
    assert msr_devices.errno_of(os.pwrite, cpu_fd, struct.pack('=Q', 5), SCRATCH) == expected


def test_reading_goes_on(cpu_fd):
    assert len(os.pread(cpu_fd, 8, SCRATCH)) == 8


def test_a_batch_with_a_write(honored):
    err, done = msr_devices.run_batch([msr_devices.read_op(0, SCRATCH), msr_devices.write_op(0, SCRATCH, 5)])
    assert err == (errno.EPERM if honored else 0)
    assert [-op.err for op in done] == ([errno.ECANCELED, errno.EPERM] if honored else [0, 0])


def test_an_operator_is_told_the_same(honored):
    write = msr_devices.TimedOperation(cpu=0, msr=SCRATCH, data=5, mask=msr_devices.ALL_ONES)
    read = msr_devices.TimedOperation(cpu=0, flags=1, msr=msr_devices.UNLISTED)
    err, done = msr_devices.run_timed_batch([write], flags=1)
    assert (err, -done[0].err) == ((errno.EPERM, errno.EPERM) if honored else (0, 0))
    assert msr_devices.run_timed_batch([read], flags=1)[0] == 0


def test_it_cannot_be_talked_away():
    assert msr_devices.errno_of(os.open, PARAMETER, os.O_WRONLY) == errno.EACCES
    os.chmod(PARAMETER, 0o644)
    fd = os.open(PARAMETER, os.O_WRONLY)
    assert msr_devices.errno_of(os.write, fd, b'N') == errno.EIO
    os.close(fd)
    os.chmod(PARAMETER, 0o444)


def test_a_batch_of_reads():
    assert msr_devices.run_batch([msr_devices.read_op(0, SCRATCH)])[0] == 0
