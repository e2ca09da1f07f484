# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""/dev/cpu/N/msr_safe"""

import contextlib
import ctypes
import errno
import os
import struct
import subprocess

import msr_devices
import node
import pytest
from msr_devices import FAULTING, FAULTING_VALUE, READ_ONLY, SCRATCH, SCRATCH_2, UNLISTED, errno_of

VALUE = struct.pack('=Q', 0x0123456789ABCDEF)


def test_each_cpu_has_its_own_register():
    for cpu in node.online_cpus():
        msr_devices.write_register(cpu, SCRATCH, 0xFEDC000000000000 + cpu)
    for cpu in node.online_cpus():
        assert msr_devices.read_register(cpu, SCRATCH) == 0xFEDC000000000000 + cpu


def test_seeking_to_the_address(cpu_fd):
    assert os.lseek(cpu_fd, SCRATCH, os.SEEK_SET) == SCRATCH
    assert os.write(cpu_fd, VALUE) == 8
    assert os.lseek(cpu_fd, 0, os.SEEK_CUR) == SCRATCH
    assert os.read(cpu_fd, 8) == VALUE
    assert os.lseek(cpu_fd, READ_ONLY - SCRATCH, os.SEEK_CUR) == READ_ONLY
    assert os.read(cpu_fd, 8) == os.pread(cpu_fd, 8, READ_ONLY)


@pytest.mark.parametrize('whence', [os.SEEK_END, os.SEEK_DATA, os.SEEK_HOLE, 5])
def test_seeking_from_anywhere_else_is_einval(cpu_fd, whence):
    os.lseek(cpu_fd, SCRATCH, os.SEEK_SET)
    assert errno_of(os.lseek, cpu_fd, 0, whence) == errno.EINVAL
    assert os.lseek(cpu_fd, 0, os.SEEK_CUR) == SCRATCH


def test_a_negative_address_is_einval(cpu_fd):
    assert errno_of(os.lseek, cpu_fd, -8, os.SEEK_SET) == errno.EINVAL
    assert errno_of(os.pread, cpu_fd, 8, -8) == errno.EINVAL
    assert errno_of(os.pwrite, cpu_fd, VALUE, -8) == errno.EINVAL


@pytest.mark.parametrize('length', [0, 1, 4, 7, 9, 16, 4096])
def test_a_length_other_than_8_is_einval(cpu_fd, length):
    os.pwrite(cpu_fd, VALUE, SCRATCH)
    assert errno_of(os.pread, cpu_fd, length, SCRATCH) == errno.EINVAL
    assert errno_of(os.pwrite, cpu_fd, b'\1' * length, SCRATCH) == errno.EINVAL
    assert os.pread(cpu_fd, 8, SCRATCH) == VALUE


# An address above 32 bits must not be cut down to one that is on the list.
@pytest.mark.parametrize('address', [0, UNLISTED, 0xFFFFFFFF, (1 << 32) + SCRATCH, (1 << 62) + SCRATCH])
def test_a_register_not_on_the_list_is_eacces(cpu_fd, address):
    assert errno_of(os.pread, cpu_fd, 8, address) == errno.EACCES
    assert errno_of(os.pwrite, cpu_fd, VALUE, address) == errno.EACCES


def test_writing_with_mask_0_is_eacces(cpu_fd):
    before = os.pread(cpu_fd, 8, READ_ONLY)
    assert errno_of(os.pwrite, cpu_fd, VALUE, READ_ONLY) == errno.EACCES
    assert os.pread(cpu_fd, 8, READ_ONLY) == before


def test_an_empty_list_approves_nothing(cpu_fd):
    assert msr_devices.write_list('\n') == ('', 0)
    assert errno_of(os.pread, cpu_fd, 8, SCRATCH) == errno.EACCES


def test_a_fault_is_eio(cpu_fd):
    assert errno_of(os.pwrite, cpu_fd, struct.pack('=Q', FAULTING_VALUE), FAULTING) == errno.EIO


def test_a_cpu_gone_offline_is_enxio():
    cpu = node.online_cpus()[-1]
    fd = os.open(msr_devices.cpu_node(cpu), os.O_RDWR)
    node.set_online(cpu, False)
    reading = errno_of(os.pread, fd, 8, SCRATCH)
    writing = errno_of(os.pwrite, fd, VALUE, SCRATCH)
    node.set_online(cpu, True)
    assert (reading, writing) == (errno.ENXIO, errno.ENXIO)
    assert os.pwrite(fd, VALUE, SCRATCH) == 8
    assert os.pread(fd, 8, SCRATCH) == VALUE
    os.close(fd)


@contextlib.contextmanager
def node_of(minor):
    """A device node of the module's major with this minor. Not in /tmp, which may be mounted without devices."""
    path = '/dev/msr_safe_test'
    # mknod(1): the machine's own os.mknod may be confined
    subprocess.run(['mknod', path, 'c', str(node.majors()['msr_safe']), str(minor)], check=True)
    try:
        yield path
    finally:
        os.remove(path)


@pytest.mark.parametrize('minor', [255, 4095, 65536])
def test_opening_an_absent_cpu_is_enxio(minor):
    with node_of(minor) as path:
        assert errno_of(os.open, path, os.O_RDONLY) == errno.ENXIO


def test_opening_an_offline_cpu_is_enxio(offline_cpu):
    with node_of(offline_cpu) as path:
        assert errno_of(os.open, path, os.O_RDONLY) == errno.ENXIO


@pytest.mark.parametrize('address', [0, 8, 1 << 63])
def test_bad_user_memory_is_efault(cpu_fd, address):
    libc = msr_devices.libc
    os.pwrite(cpu_fd, VALUE, SCRATCH)
    for function in (libc.pread, libc.pwrite):
        assert function(cpu_fd, ctypes.c_void_p(address), ctypes.c_size_t(8), ctypes.c_long(SCRATCH)) == -1
        assert ctypes.get_errno() == errno.EFAULT
    assert os.pread(cpu_fd, 8, SCRATCH) == VALUE


def test_a_write_changes_the_bits_of_the_mask_only(cpu_fd):
    everything = {SCRATCH_2: msr_devices.ALL_ONES}
    assert msr_devices.write_list(msr_devices.render_list(everything)) == ('', 0)
    os.pwrite(cpu_fd, struct.pack('=Q', 0x1111111111111111), SCRATCH_2)
    assert msr_devices.write_list(msr_devices.TEST_LIST) == ('', 0)
    os.pwrite(cpu_fd, struct.pack('=Q', 0xFFFFFFFFFFFF23FF), SCRATCH_2)
    assert os.pread(cpu_fd, 8, SCRATCH_2) == struct.pack('=Q', 0x1111111111112311)
    os.pwrite(cpu_fd, struct.pack('=Q', 0), SCRATCH_2)
    assert os.pread(cpu_fd, 8, SCRATCH_2) == struct.pack('=Q', 0x1111111111110011)


def test_access_modes_of_descriptors():
    for mode, function, argument in [(os.O_RDONLY, os.pwrite, VALUE), (os.O_WRONLY, os.pread, 8)]:
        fd = os.open(msr_devices.cpu_node(0), mode)
        err = errno_of(function, fd, argument, SCRATCH)
        os.close(fd)
        assert err == errno.EBADF


def test_an_ioctl_is_enotty(cpu_fd):
    assert msr_devices.batch_ioctl(cpu_fd, 1, 0) == errno.ENOTTY
