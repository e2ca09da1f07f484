# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What a CPU is spared however many send how much: one slice an interrupt, hotplug that waits for nobody."""

import contextlib
import ctypes
import errno
import itertools
import mmap
import os
import time

import msr_devices
import node
import pytest
import test_tracepoints
from msr_devices import SCRATCH, Operation, read_op

# As MSR_SAFE_CAPABILITIES says; between slices is a fourth of their time
SLICE, SLICE_SECONDS = 256, 25e-6
# Of a timer whose next time has come before it was set, which takes long on an emulated machine
SLICES_AT_MOST = 3
SHORTEST_PAUSE = SLICE_SECONDS / 5


def interrupts_of(cpu):
    """Return how many function calls and timers have interrupted a CPU: a slice is one or the other."""
    with open('/proc/interrupts') as interrupts:
        column = next(interrupts).split().index('CPU%d' % cpu) + 1
        lines = [line.split() for line in interrupts]
    return sum(int(line[column]) for line in lines if line[0] in ('CAL:', 'LOC:'))


def spin(cpu):
    os.sched_setaffinity(0, {cpu})
    while True:
        pass


@contextlib.contextmanager
def senders_at_a_busy_cpu(cpu, count, batches, size):
    """So many processes have sent so many batches of so many reads each; the CPU was busy, so each slice interrupts."""

    def send():
        os.sched_setaffinity(0, set(node.online_cpus()) - {cpu})
        array = (Operation * size)(*[read_op(cpu, SCRATCH)] * size)
        fd = os.open(msr_devices.BATCH, os.O_RDWR)
        return sum(msr_devices.batch_ioctl(fd, size, ctypes.addressof(array)) for _batch in range(batches))

    with node.child(lambda: spin(cpu)), contextlib.ExitStack() as stack:
        time.sleep(0.2)
        pids = [stack.enter_context(node.child(send)) for _sender in range(count)]
        assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * count
        yield


def test_many_senders_get_one_slice_an_interrupt_all_together():
    cpu, senders, batches, size = node.online_cpus()[-1], 12, 8, 8 * SLICE
    before = interrupts_of(cpu)
    with senders_at_a_busy_cpu(cpu, senders, batches, size):
        interrupts = interrupts_of(cpu) - before
    assert senders * batches * size / interrupts <= SLICES_AT_MOST * SLICE


def test_many_senders_get_the_time_of_one_slice_all_together():
    """Traced, operations take long: what lies between two pauses is no longer than a slice may be."""
    cpu = node.online_cpus()[-1]
    trace = test_tracepoints.Trace()
    try:
        (trace.directory / 'buffer_size_kb').write_text('16384')
        trace.enable(True)
        with senders_at_a_busy_cpu(cpu, 12, 1, 1024):
            trace.enable(False)
        times = trace.times()
    finally:
        trace.close()
    assert len(times) == 12 * 1024
    pauses = [0, *(at for at in range(1, len(times)) if times[at] - times[at - 1] > SHORTEST_PAUSE), len(times)]
    lengths = sorted(times[end - 1] - times[begin] for begin, end in itertools.pairwise(pauses))
    assert lengths[len(lengths) * 9 // 10] < 2 * SLICE_SECONDS


def test_a_cpu_goes_offline_in_the_middle_of_a_million_operations():
    """Hotplug does not wait for the batch; what was not done on that CPU says so, and all else is done."""
    cpus = node.online_cpus()
    gone, count = cpus[-1], msr_devices.BATCH_MAX
    shared = mmap.mmap(-1, count * 32)
    block = bytes((Operation * len(cpus))(*[read_op(cpu, SCRATCH) for cpu in cpus]))
    shared[:] = block * (count // len(cpus)) + block[: count % len(cpus) * 32]
    array = (Operation * count).from_buffer(shared)

    def run_until_it_fails():
        fd = os.open(msr_devices.BATCH, os.O_RDWR)
        err = 0
        while not err:
            err = msr_devices.batch_ioctl(fd, count, ctypes.addressof(array))
        return err

    trace = test_tracepoints.Trace()
    try:
        trace.enable(True)  # operations take longer: a batch spends its time in them rather than in being checked
        for attempt in range(40):
            with node.child(run_until_it_fails) as child:
                time.sleep(0.5 + 0.07 * attempt)
                node.set_online(gone, False)
                status = os.waitpid(child, 0)[1]
                node.set_online(gone, True)
            assert os.WEXITSTATUS(status) == errno.ENXIO
            errors = [-err for err in memoryview(shared).cast('i')[1::8].tolist()]
            if errno.ECANCELED not in errors:
                break
        else:
            pytest.fail('each time the CPU went before or after a batch, never while one ran')
    finally:
        trace.close()
    mine = errors[len(cpus) - 1 :: len(cpus)]
    undone = mine.index(errno.ENXIO)
    assert set(mine[:undone]) <= {0} and set(mine[undone:]) == {errno.ENXIO}
    for index in range(len(cpus) - 1):
        assert set(errors[index :: len(cpus)]) == {0}


def voluntary_switches():
    with open('/proc/self/status') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('voluntary_ctxt_switches'))


def test_whoever_waits_for_another_cpu_sleeps_meanwhile():
    """That CPU has much to do: a single read has to wait for slices of a batch."""
    cpus = node.online_cpus()
    array = (Operation * 10000)(*[read_op(cpus[-1], SCRATCH)] * 10000)

    def send():
        os.sched_setaffinity(0, {cpus[1]})
        fd = os.open(msr_devices.BATCH, os.O_RDWR)
        while True:
            msr_devices.batch_ioctl(fd, len(array), ctypes.addressof(array))

    fd = os.open(msr_devices.cpu_node(cpus[-1]), os.O_RDONLY)
    os.sched_setaffinity(0, {cpus[0]})
    try:
        with node.child(send):
            before, patience = voluntary_switches(), time.monotonic() + 30
            while voluntary_switches() < before + 20 and time.monotonic() < patience:
                os.pread(fd, 8, SCRATCH)
            switches = voluntary_switches() - before
    finally:
        os.sched_setaffinity(0, cpus)
        os.close(fd)
    assert switches >= 20
