# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The parameter own_cpus_only: who may not run on a CPU may not have its registers either."""

import errno
import os

import msr_devices
import node
import pytest
import uring
from msr_devices import SCRATCH, errno_of, read_op, run_batch_of

PARAMETER = '/sys/module/msr_safe/parameters/own_cpus_only'
NOBODY = 65534
NO_URING = 255  # no errno


def set_parameter(value):
    with open(PARAMETER, 'w') as file:
        file.write(value)


@pytest.fixture
def own_cpus_only():
    set_parameter('Y')
    yield
    set_parameter('N')


def as_nobody_on(cpu, function):
    """Return the exit status of a child without privileges that may run on this CPU only."""

    def become_and_call():
        os.sched_setaffinity(0, {cpu})
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return function()

    with node.child(become_and_call) as pid:
        return os.WEXITSTATUS(os.waitpid(pid, 0)[1])


def test_it_is_off_by_default(batch_fd, cpu_fd):
    with open(PARAMETER) as file:
        assert file.read() == 'N\n'
    other = node.online_cpus()[-1]
    assert as_nobody_on(other, lambda: run_batch_of(batch_fd, [read_op(0, SCRATCH)])[0]) == 0
    assert as_nobody_on(other, lambda: errno_of(os.pread, cpu_fd, 8, SCRATCH)) == 0


def test_others_cpus_are_refused(own_cpus_only, batch_fd, cpu_fd):
    other = node.online_cpus()[-1]

    def batch():
        err, done = run_batch_of(batch_fd, [read_op(other, SCRATCH), read_op(0, SCRATCH)])
        return 0 if (err, [-op.err for op in done]) == (errno.EPERM, [errno.ECANCELED, errno.EPERM]) else 1

    assert as_nobody_on(other, batch) == 0
    assert as_nobody_on(other, lambda: errno_of(os.pread, cpu_fd, 8, SCRATCH)) == errno.EPERM
    assert as_nobody_on(other, lambda: errno_of(os.pwrite, cpu_fd, bytes(8), SCRATCH)) == errno.EPERM


def test_ones_own_are_not(own_cpus_only, batch_fd, cpu_fd):
    assert as_nobody_on(0, lambda: run_batch_of(batch_fd, [read_op(0, SCRATCH)])[0]) == 0
    assert as_nobody_on(0, lambda: errno_of(os.pread, cpu_fd, 8, SCRATCH)) == 0


def test_a_worker_of_io_uring_has_none(own_cpus_only, cpu_fd):
    """It may run on CPUs that the task which it works for may not."""

    def read():
        try:
            return errno_of(uring.pread, cpu_fd, 8, SCRATCH)
        except uring.NoUring:
            return NO_URING

    other = node.online_cpus()[-1]
    refused = as_nobody_on(other, read)
    if refused == NO_URING:
        pytest.skip('this kernel has no io_uring for users')
    assert refused == errno.EPERM
    set_parameter('N')
    assert as_nobody_on(other, read) == 0


def test_root_may_have_all(own_cpus_only, batch_fd):
    os.sched_setaffinity(0, {node.online_cpus()[-1]})
    try:
        assert run_batch_of(batch_fd, [read_op(0, SCRATCH)])[0] == 0
    finally:
        os.sched_setaffinity(0, node.online_cpus())


def test_the_capabilities_tell(own_cpus_only, batch_fd):
    def features():
        return msr_devices.sized_ioctl(batch_fd, msr_devices.CAPABILITIES_IOCTL, 'IQIIIIII32s', *[0] * 8, b'')[1][2]

    assert features() & 8
    set_parameter('N')
    assert not features() & 8
