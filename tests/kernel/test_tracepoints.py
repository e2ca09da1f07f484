# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The tracepoints of the module, seen through tracefs: who read, wrote or was denied which register."""

import errno
import os
import pathlib
import re
import struct

import msr_devices
import node
import pytest
from msr_devices import FAULTING, FAULTING_VALUE, READ_ONLY, SCRATCH, SCRATCH_2, UNLISTED, errno_of, read_op, write_op
from test_lockdown import is_honored, is_locked_down

TRACEFS = pathlib.Path('/sys/kernel/tracing')


class Trace:
    """An instance of the kernel's tracing, which others' tracing does not disturb."""

    def __init__(self):
        assert (TRACEFS / 'instances').is_dir(), 'tracefs is not mounted: mount -t tracefs tracefs %s' % TRACEFS
        self.directory = TRACEFS / 'instances' / 'msr_safe_test'
        # Inherited at creation. It would patch a tracepoint into the scheduler under all CPUs' feet,
        # where QEMU before 8.1 without KVM may go on executing the breakpoint that was there meanwhile: a hang.
        option = TRACEFS / 'options' / 'record-cmd'
        before = option.read_text()
        option.write_text('0')
        self.directory.mkdir()
        option.write_text(before)

    def enable(self, enabled):
        (self.directory / 'events/msr_safe/enable').write_text('1' if enabled else '0')

    def events(self):
        """Return [(event, {field: text})] of the module's events so far."""
        found = []
        for line in (self.directory / 'trace').read_text().splitlines():
            match = re.search(r': (msr_safe_\w+): (.*)', line)
            if match:
                found.append((match[1], parse_fields(match[2])))
        return found

    def times(self):
        """Return when the module's events so far were, in seconds."""
        text = (self.directory / 'trace').read_text()
        return sorted(float(time) for time in re.findall(r'(\d+\.\d+): msr_safe_\w+: ', text))

    def close(self):
        self.enable(False)
        self.directory.rmdir()


def parse_fields(text):
    """Return {field: text} of an event; a word without = is given as {word: ''}."""
    text = text.replace(' (not read)', '(not-read)').replace(' (not written)', '(not-written)')
    return dict(word.partition('=')[::2] for word in text.split())


@pytest.fixture
def trace():
    trace = Trace()
    trace.enable(True)
    yield trace
    trace.close()


def me(**fields):
    """Return what an event of this process says, with numbers as the module prints them."""
    with open('/proc/self/comm') as comm:
        fields.update(pid=str(os.getpid()), comm=comm.read().strip())
    return fields


def value(number):
    return '0x%016x' % number


def address(msr):
    return '0x%08x' % msr


def rename(comm):
    with open('/proc/self/comm', 'w') as file:
        file.write(comm)


@pytest.fixture
def own_name():
    """This process has a name that nobody else on the node has."""
    with open('/proc/self/comm') as comm:
        before = comm.read().strip()
    rename('who-wrote-this')
    yield
    rename(before)


@pytest.mark.parametrize('cpu', node.online_cpus())
def test_a_write_names_who_asked_on_any_cpu(trace, own_name, cpu):
    """Wherever this runs: on all CPUs but one, the register's interrupt finds another task."""
    os.sched_setaffinity(0, {node.online_cpus()[0]})
    try:
        msr_devices.write_register(cpu, SCRATCH, 0x1234)
    finally:
        os.sched_setaffinity(0, node.online_cpus())
    expected = me(cpu=str(cpu), msr=address(SCRATCH), old=value(0) + '(not-read)', new=value(0x1234), err='0')
    assert trace.events() == [('msr_safe_write', expected)]
    assert expected['comm'] == 'who-wrote-this'


def test_a_masked_write_shows_old_and_new(trace):
    everything = msr_devices.render_list({SCRATCH_2: msr_devices.ALL_ONES})
    assert msr_devices.write_list(everything) == ('', 0)
    msr_devices.write_register(0, SCRATCH_2, 0x3333333333333333)
    assert msr_devices.write_list(msr_devices.TEST_LIST) == ('', 0)
    msr_devices.write_register(0, SCRATCH_2, 0x4444444444444444)
    expected = me(
        cpu='0', msr=address(SCRATCH_2), old=value(0x3333333333333333), new=value(0x3333333333334433), err='0'
    )
    assert trace.events()[-1] == ('msr_safe_write', expected)


def test_a_read_shows_the_value(trace):
    msr_devices.write_register(1, SCRATCH, 0x5678)
    assert msr_devices.read_register(1, SCRATCH) == 0x5678
    expected = me(cpu='1', msr=address(SCRATCH), value=value(0x5678), err='0')
    assert trace.events()[-1] == ('msr_safe_read', expected)


def test_a_fault_is_shown(trace, cpu_fd):
    assert errno_of(os.pwrite, cpu_fd, struct.pack('=Q', FAULTING_VALUE), FAULTING) == errno.EIO
    event, fields = trace.events()[-1]
    assert (event, fields['new'], fields['err']) == (
        'msr_safe_write',
        value(FAULTING_VALUE) + '(not-written)',
        str(-errno.EIO),
    )


def test_a_batch_shows_every_operation(trace):
    cpus = node.online_cpus()
    operations = [write_op(cpu, SCRATCH, cpu + 7) for cpu in cpus] + [read_op(cpu, SCRATCH) for cpu in cpus]
    assert msr_devices.run_batch(operations)[0] == 0
    common = me(msr=address(SCRATCH), err='0')
    expected = [('msr_safe_write', cpu, {'old': value(0) + '(not-read)', 'new': value(cpu + 7)}) for cpu in cpus]
    expected += [('msr_safe_read', cpu, {'value': value(cpu + 7)}) for cpu in cpus]
    expected = [(event, dict(common, cpu=str(cpu), **fields)) for event, cpu, fields in expected]
    assert sorted(trace.events(), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize('msr', [UNLISTED, (1 << 32) + SCRATCH])
def test_denied_as_it_is_not_on_the_list(trace, cpu_fd, msr):
    assert errno_of(os.pread, cpu_fd, 8, msr) == errno.EACCES
    assert errno_of(os.pwrite, cpu_fd, bytes(8), msr) == errno.EACCES
    common = me(cpu='0', msr=address(msr), err=str(-errno.EACCES))
    assert trace.events() == [
        ('msr_safe_denied', dict(common, read='')),
        ('msr_safe_denied', dict(common, write='')),
    ]


def test_denied_as_the_mask_is_0(trace, cpu_fd):
    assert errno_of(os.pwrite, cpu_fd, bytes(8), READ_ONLY) == errno.EACCES
    expected = me(cpu='0', msr=address(READ_ONLY), write='', err=str(-errno.EACCES))
    assert trace.events() == [('msr_safe_denied', expected)]


def test_denied_in_a_batch(trace):
    cpu = node.online_cpus()[-1]
    operations = [read_op(0, SCRATCH), read_op(cpu, UNLISTED), write_op(cpu, READ_ONLY, 1), read_op(0, SCRATCH)]
    assert msr_devices.run_batch(operations)[0] == errno.EACCES
    assert trace.events() == [
        ('msr_safe_denied', me(cpu=str(cpu), msr=address(UNLISTED), read='', err=str(-errno.EACCES))),
        ('msr_safe_denied', me(cpu=str(cpu), msr=address(READ_ONLY), write='', err=str(-errno.EROFS))),
    ]


def test_what_a_lease_writes_back_is_shown(trace):
    msr_devices.write_register(0, SCRATCH, 0x1234)
    fd = os.open(msr_devices.BATCH, os.O_RDWR)
    assert msr_devices.begin_lease(fd) == 0
    assert msr_devices.run_batch_of(fd, [write_op(0, SCRATCH, 0x1235)])[0] == 0
    os.close(fd)
    expected = me(cpu='0', msr=address(SCRATCH), old=value(0x1235), new=value(0x1234), err='0')
    assert trace.events()[-1] == ('msr_safe_write', expected)


def test_who_replaced_the_list_is_shown(trace):
    assert msr_devices.write_list('0x10 1\n0x11 0\n') == ('', 0)
    assert trace.events()[-1] == ('msr_safe_list_replaced', me(registers='2', uid='0'))
    seen = len(trace.events())
    assert msr_devices.write_list('zebra')[1] == errno.EINVAL
    assert len(trace.events()) == seen


@pytest.mark.skipif(not is_locked_down(), reason='no kernel lockdown here')
def test_denied_under_lockdown(trace, cpu_fd):
    """After test_lockdown.py."""
    if not is_honored():
        pytest.skip('honor_lockdown=0')
    assert errno_of(os.pwrite, cpu_fd, bytes(8), SCRATCH) == errno.EPERM
    assert msr_devices.run_batch([write_op(0, SCRATCH, 1)])[0] == errno.EPERM
    expected = me(cpu='0', msr=address(SCRATCH), write='', err=str(-errno.EPERM))
    assert trace.events() == [('msr_safe_denied', expected)] * 2


def test_nothing_is_shown_when_off(trace, cpu_fd):
    trace.enable(False)
    msr_devices.write_register(0, SCRATCH, 1)
    msr_devices.read_register(0, SCRATCH)
    assert errno_of(os.pread, cpu_fd, 8, UNLISTED) == errno.EACCES
    assert trace.events() == []
    trace.enable(True)
    msr_devices.read_register(0, SCRATCH)
    assert len(trace.events()) == 1
