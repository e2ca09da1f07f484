# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The module that simulates registers (`make simulated`): each property, each scope, the presets.

MSR_SAFE_SIMULATED_KO=/path/msr-safe.ko names it. Without that, these tests are skipped.
"""

import contextlib
import errno
import os
import struct
import subprocess
import time

import msr_devices
import node
import pytest
import simulation
import test_tracepoints
from msr_devices import ALL_ONES, errno_of, read_op, read_register, run_batch, write_op, write_register

SIMULATED_KO = os.environ.get('MSR_SAFE_SIMULATED_KO')

pytestmark = pytest.mark.skipif(not SIMULATED_KO, reason='MSR_SAFE_SIMULATED_KO names no simulated module')

REGISTER = 0x610
CPUS = node.online_cpus()


@pytest.fixture(scope='module', autouse=True)
def simulated_module():
    """The simulated module is loaded; afterwards no module is, and the next test loads its own."""
    if node.module_is_loaded():
        assert node.unload_module()[0] == 0
    with node_log() as log:
        subprocess.run(['insmod', SIMULATED_KO], check=True)
        node.settle()
        lines = log.read()
    yield lines
    assert node.unload_module()[0] == 0


@contextlib.contextmanager
def node_log():
    log = node.KernelLog()
    yield log
    log.close()


def write_errno(cpu, value, address=REGISTER):
    fd = os.open(msr_devices.cpu_node(cpu), os.O_WRONLY)
    try:
        return errno_of(os.pwrite, fd, struct.pack('=Q', value), address)
    finally:
        os.close(fd)


def read_errno(cpu, address=REGISTER):
    return errno_of(read_register, cpu, address)


def test_it_says_what_it_is(simulated_module):
    with open('/sys/module/msr_safe/version') as version:
        assert version.read().strip().endswith('-simulated')
    with open(msr_devices.VERSION) as version:
        assert version.read().strip().endswith('-simulated')
    assert [line for line in simulated_module if 'for tests only' in line]


def test_only_root_defines_registers():
    status = os.stat(simulation.REGISTERS)
    assert (status.st_mode & 0o777, status.st_uid) == (0o600, 0)


def test_a_register_that_is_not_defined_faults():
    simulation.have('0x611 cpu 5')
    assert msr_devices.write_list(msr_devices.render_list({REGISTER: ALL_ONES, 0x611: ALL_ONES})) == ('', 0)
    assert (read_errno(0), write_errno(0, 1)) == (errno.EIO, errno.EIO)
    assert read_register(0, 0x611) == 5


def test_without_registers_all_fault():
    simulation.have('0x610 cpu 5')
    assert simulation.define('\n') == 0
    assert (read_errno(0), simulation.present()) == (errno.EIO, '')


def test_the_initial_value_and_one_of_some_cpus():
    simulation.have('0x610 cpu 0x1234\non 1,3 0x5678')
    assert [read_register(cpu, REGISTER) for cpu in (0, 1, 2, 3)] == [0x1234, 0x5678, 0x1234, 0x5678]


def test_bits_that_are_not_writable_keep_their_value():
    simulation.have('0x610 cpu 0x1111 writable=0x0FF0')
    write_register(0, REGISTER, 0x2222)
    assert read_register(0, REGISTER) == 0x1221


def test_writable_alone_is_all_bits():
    simulation.have('0x610 cpu 0 writable')
    write_register(0, REGISTER, ALL_ONES)
    assert read_register(0, REGISTER) == ALL_ONES


def test_read_only_drops_writes():
    simulation.have('0x610 cpu 7')
    assert write_errno(0, 8) == 0
    assert read_register(0, REGISTER) == 7


def test_read_only_with_faults():
    simulation.have('0x610 cpu 7 write-faults')
    assert write_errno(0, 8) == errno.EIO
    assert read_register(0, REGISTER) == 7


def test_a_reserved_bit_faults_as_1_only():
    simulation.have('0x610 cpu 0 writable=0xF reserved=0xF0')
    assert (write_errno(0, 0x1F), read_register(0, REGISTER)) == (errno.EIO, 0)
    assert (write_errno(0, 0xF0F), read_register(0, REGISTER)) == (0, 0xF)


def test_write_only():
    simulation.have('0x610 cpu 0 writable read-faults')
    assert (read_errno(0), write_errno(0, 1)) == (errno.EIO, 0)
    assert 'on 0 0x0000000000000001' in simulation.present()


def test_a_mask_of_all_ones_writes_without_reading():
    """And any other mask must read first, which faults: then nothing is written."""
    simulation.have('0x610 cpu 7 writable read-faults', {REGISTER: 0xFF})
    assert write_errno(0, 1) == errno.EIO
    assert 'on' not in simulation.present()
    assert msr_devices.write_list(msr_devices.render_list({REGISTER: ALL_ONES})) == ('', 0)
    assert write_errno(0, 1) == 0
    assert 'on 0 0x0000000000000001' in simulation.present()


def test_bits_cleared_by_writing_1():
    simulation.have('0x610 cpu 0xFF write-1-clears=0x0F writable=0x100')
    write_register(0, REGISTER, 0x1F3)
    assert read_register(0, REGISTER) == 0x1FC


def test_bits_cleared_by_writing_0():
    simulation.have('0x610 cpu 0xFF write-0-clears=0x0F')
    write_register(0, REGISTER, 0xF00 | 0x03)
    assert read_register(0, REGISTER) == 0xF3


def test_a_locked_register_drops_writes():
    simulation.have('0x610 cpu 1 writable lock=63')
    write_register(0, REGISTER, 2)
    write_register(0, REGISTER, 1 << 63 | 3)
    assert write_errno(0, 4) == 0
    assert read_register(0, REGISTER) == 1 << 63 | 3
    write_register(1, REGISTER, 5)
    assert read_register(1, REGISTER) == 5
    assert simulation.define('0x610 cpu 1 writable lock=63') == 0
    assert read_register(0, REGISTER) == 1


def test_a_locked_register_that_faults():
    simulation.have('0x610 cpu 1 writable lock=0 locked-faults')
    assert (write_errno(0, 8), read_register(0, REGISTER)) == (errno.EIO, 1)


def test_a_fault_in_a_batch_marks_its_own_operation():
    simulation.have('0x610 cpu 1 writable\n0x611 cpu 0 read-faults write-faults')
    batch = [write_op(cpu, REGISTER, cpu + 5) for cpu in CPUS]
    batch += [read_op(CPUS[-1], 0x611), write_op(0, 0x611, 1)]
    batch += [read_op(cpu, REGISTER) for cpu in CPUS]
    err, done = run_batch(batch)
    assert err == errno.EIO
    assert [-op.err for op in done] == [0] * len(CPUS) + [errno.EIO] * 2 + [0] * len(CPUS)
    assert [op.msrdata for op in done[-len(CPUS) :]] == [cpu + 5 for cpu in CPUS]


def test_a_counter_counts_by_time():
    simulation.have('0x610 cpu 1000000000 counts=1000000')
    before = time.monotonic()
    first = read_register(0, REGISTER)
    time.sleep(0.5)
    second = read_register(0, REGISTER)
    assert 1000000000 <= first < second
    assert 450000 < second - first < (time.monotonic() - before) * 1000000 + 1


def test_a_written_counter_goes_on_from_there():
    simulation.have('0x610 cpu 0 counts=1000 writable')
    write_register(0, REGISTER, 1 << 40)
    time.sleep(0.05)
    assert 1 << 40 < read_register(0, REGISTER) < (1 << 40) + 100000


def test_a_counter_wraps_at_its_width():
    simulation.have('0x610 cpu 0xABC00000FFFFFFFF counts=10000000000 width=32')
    time.sleep(0.01)
    seen = {read_register(0, REGISTER) for _attempt in range(20)}
    assert {value >> 32 for value in seen} == {0xABC00000}
    assert len(seen) > 1


@pytest.mark.parametrize('scope', ['cpu', 'core', 'package'])
def test_scopes(scope):
    if scope != 'cpu' and simulation.sharers(scope, CPUS[0]) == {CPUS[0]}:
        pytest.skip('no two CPUs of this node share a %s' % scope)
    simulation.have('0x610 %s 0 writable' % scope)
    for writer in CPUS:
        others = {cpu: read_register(cpu, REGISTER) for cpu in CPUS}
        write_register(writer, REGISTER, writer + 100)
        expected = dict(others)
        expected.update(dict.fromkeys(simulation.sharers(scope, writer), writer + 100))
        assert {cpu: read_register(cpu, REGISTER) for cpu in CPUS} == expected


@pytest.mark.parametrize('scope', ['cpu', 'core', 'package'])
def test_values_outlive_their_cpus_being_offline(scope):
    """Whoever shares them sees the same, in whatever order they come and go."""
    simulation.have('0x610 %s 0 writable' % scope)
    for cpu in CPUS:
        write_register(cpu, REGISTER, cpu + 100)
    expected = {cpu: 100 + max(simulation.sharers(scope, cpu)) for cpu in CPUS}
    gone = [cpu for cpu in CPUS if cpu != 0]
    for cpu in gone:
        node.set_online(cpu, False)
    for cpu in reversed(gone):
        node.set_online(cpu, True)
    assert {cpu: read_register(cpu, REGISTER) for cpu in CPUS} == expected


def test_masked_writes_of_a_package_at_once():
    """From all its CPUs, many times: bits outside of the mask stay, those inside are of one writer."""
    simulation.have('0x610 package 0xABCD00000000 writable', {REGISTER: 0xFFFFFFFF})
    rounds = 2000
    batch = []
    for _round in range(rounds):
        batch += [write_op(cpu, REGISTER, 0x01010101 * (cpu + 1)) for cpu in CPUS]
        batch += [read_op(cpu, REGISTER) for cpu in CPUS]
    children = []
    for _child in range(2):
        child = os.fork()
        if child == 0:
            os._exit(judge(batch))
        children.append(child)
    assert [os.WEXITSTATUS(os.waitpid(child, 0)[1]) for child in children] == [0, 0]


@pytest.mark.parametrize('order', [CPUS, CPUS[::-1], CPUS[1:] + CPUS[:1]])
@pytest.mark.parametrize('scope', ['core', 'package'])
def test_a_lease_on_registers_that_cpus_share(scope, order):
    """Each CPU remembers what it found, which may be what another one wrote: all is undone in reverse."""
    simulation.have('0x610 %s 0x11 writable\n0x611 %s 0x22 writable\n' % (scope, scope))
    fd = os.open(msr_devices.BATCH, os.O_RDWR)
    assert msr_devices.begin_lease(fd) == 0
    for value in (0x31, 0x17, 0x00, 0xFF, 0x11):
        writes = [write_op(cpu, register, value + cpu) for cpu in order for register in (0x610, 0x611)]
        assert msr_devices.run_batch_of(fd, writes)[0] == 0
    os.close(fd)
    assert {read_register(cpu, 0x610) for cpu in CPUS} == {0x11}
    assert {read_register(cpu, 0x611) for cpu in CPUS} == {0x22}


def test_a_lease_wants_registers_that_can_be_read():
    simulation.have('0x610 cpu 5 writable read-faults')
    fd = os.open(msr_devices.BATCH, os.O_RDWR)
    assert msr_devices.run_batch_of(fd, [write_op(0, REGISTER, 6)])[0] == 0
    assert msr_devices.begin_lease(fd) == 0
    assert msr_devices.run_batch_of(fd, [write_op(0, REGISTER, 7)])[0] == errno.EIO
    os.close(fd)
    assert '0x0000000000000006' in simulation.present()


def test_a_lease_that_cannot_write_back_says_so(log):
    simulation.have('0x610 cpu 0 writable lock=31')
    fd = os.open(msr_devices.BATCH, os.O_RDWR)
    assert msr_devices.begin_lease(fd) == 0
    assert msr_devices.run_batch_of(fd, [write_op(0, REGISTER, 1)])[0] == 0
    simulation.have('0x610 cpu 1 write-faults', {REGISTER: 1})
    os.close(fd)
    assert [line for line in log.read() if 'not written back' in line and '(error %d)' % errno.EIO in line], log.lines


def test_the_trace_of_a_masked_write_that_could_not_read_makes_nothing_up():
    simulation.have('0x610 cpu 5 writable read-faults', {REGISTER: 0xFF00})
    trace = test_tracepoints.Trace()
    try:
        trace.enable(True)
        assert write_errno(0, 0x1234) == errno.EIO
        (event, fields) = trace.events()[-1]
    finally:
        trace.close()
    assert event == 'msr_safe_write'
    assert fields['old'] == '0x0000000000000000(not-read)'
    assert fields['new'] == '0x0000000000001234(not-written)'
    assert fields['err'] == str(-errno.EIO)


def judge(batch):
    err, done = run_batch(batch)
    legal = {0xABCD00000000 | 0x01010101 * (cpu + 1) for cpu in CPUS}
    return err or (0 if {op.msrdata for op in done if op.isrdmsr} <= legal else 255)


def test_replacing_the_registers_under_use():
    """A reader sees the old registers or the new ones, never none."""
    texts = ['0x610 package %d writable\n' % value for value in (1, 2)]
    simulation.have(texts[0])
    child = os.fork()
    if child == 0:
        for count in range(100):
            simulation.define(texts[count % 2])
        os._exit(0)
    seen = set()
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        err, done = run_batch([read_op(cpu, REGISTER) for cpu in CPUS] * 20)
        assert err == 0
        seen.update(op.msrdata for op in done)
    assert seen == {1, 2}


def test_what_is_shown_can_be_written_back():
    everything = (
        '0x610 package 0x1 writable=0x80000000000000FF lock=63 locked-faults\n'
        '0x611 core 0x2 write-0-clears=0xF0 write-1-clears=0xF reserved=0xF00\n'
        '0x612 cpu 0x3 read-faults write-faults\n'
        '0x613 cpu 0x4 counts=1 width=32\n'
    )
    simulation.have(everything)
    write_register(1, REGISTER, 1 << 63 | 5)
    first = simulation.present()
    assert simulation.define(first) == 0
    second = simulation.present()
    without_counter = [text.split('0x00000613')[0] for text in (first, second)]
    assert without_counter[0] == without_counter[1]
    assert '0x00000610 package 0x0000000000000001 writable=0x80000000000000FF lock=63 locked-faults\n' in first
    assert ' 0x8000000000000005\n' in first
    assert '0x00000613 cpu 0x0000000000000004 counts=1 width=32\n' in second


@pytest.mark.parametrize('chunk', [1, 7, 64])
def test_chunks_add_up_to_one_definition(chunk):
    text = '# two\n\n 0x610 cpu\t0x11 # one\n0x611 package 0x22'
    assert simulation.define(text, chunk) == 0
    assert simulation.addresses(simulation.present()) == [0x610, 0x611]


@pytest.mark.parametrize(
    'bad, err, problem',
    [
        ('rubbish', errno.EINVAL, 'rubbish is not the address'),
        ('0x100000000 cpu 0', errno.ERANGE, 'is not the address'),
        ('0x611', errno.EINVAL, 'cpu, core or package'),
        ('0x611 die 0', errno.EINVAL, 'cpu, core or package'),
        ('0x611 cpu', errno.EINVAL, 'the value'),
        ('0x611 cpu 0x10000000000000000', errno.ERANGE, 'the value'),
        ('0x611 cpu 0 weird', errno.EINVAL, 'no property weird'),
        ('0x611 cpu 0 writable=', errno.EINVAL, 'writable takes'),
        ('0x611 cpu 0 lock', errno.EINVAL, 'lock takes'),
        ('0x611 cpu 0 lock=64', errno.ERANGE, 'lock takes'),
        ('0x611 cpu 0 counts=0', errno.ERANGE, 'counts takes'),
        ('0x611 cpu 0 counts=10000000001', errno.ERANGE, 'counts takes'),
        ('0x611 cpu 0 counts=1 width=65', errno.ERANGE, 'width takes'),
        ('0x611 cpu 0 width=3', errno.EINVAL, 'width without counts'),
        ('0x611 cpu 0 read-faults=1', errno.EINVAL, 'read-faults takes no argument'),
        ('0x611 cpu 0 locked-faults', errno.EINVAL, 'locked-faults without lock'),
        ('0x611 cpu 0 writable=3 reserved=6', errno.EINVAL, 'bits 0x0000000000000002'),
        ('0x610 cpu 0', errno.ENOTUNIQ, 'register 0x00000610 is on line 2 already'),
        ('on 0', errno.EINVAL, 'CPUs and one value'),
        ('on 0 1 2', errno.EINVAL, 'CPUs and one value'),
        ('on x 1', errno.EINVAL, "x is not a list of this machine's CPUs"),
        ('on 70000 1', errno.ERANGE, "70000 is not a list of this machine's CPUs"),
        pytest.param('#' * 300, errno.E2BIG, 'longer than 255 characters', id='long'),
        pytest.param('0x611 cpu 0 \0', errno.EINVAL, 'not text', id='binary'),
    ],
)
def test_an_error_names_its_line_and_changes_nothing(log, bad, err, problem):
    simulation.have('0x610 cpu 5')
    assert simulation.define('# comment\n0x610 cpu 6\n%s\n0x699 cpu 0\n' % bad) == err
    said = [line for line in log.read() if 'simulated registers: line 3: ' in line and problem in line]
    assert len(said) == 1
    assert read_register(0, REGISTER) == 5


def test_an_error_in_an_incomplete_last_line():
    simulation.have('0x610 cpu 5')
    assert simulation.define('0x610 cpu') == errno.EINVAL
    assert read_register(0, REGISTER) == 5


def test_a_value_without_a_register(log):
    assert simulation.define('on 0 1\n') == errno.EINVAL
    assert [line for line in log.read() if 'no register comes before' in line]


def test_the_skylake_sp_preset():
    simulation.have(simulation.preset('skylake-sp'))
    assert read_register(0, 0x606) == 0xA0E03
    energy = read_register(0, 0x611)
    time.sleep(0.2)
    assert (read_register(0, 0x611) - energy) & 0xFFFFFFFF > 0
    write_register(0, 0x610, 1 << 63 | 0x8320)
    write_register(CPUS[-1], 0x610, 0)
    in_package = {read_register(cpu, 0x610) for cpu in simulation.sharers('package', 0)}
    assert in_package == {1 << 63 | 0x8320}
    write_register(0, 0x1A0, 0x4000850089)
    assert read_register(0, 0x1A0) == 0x4000850089
    assert write_errno(0, 0x10, 0x1A4) == errno.EIO
    write_register(0, 0x199, 0x1800)
    assert read_register(0, 0x199) == 0x1800


def test_the_milan_preset():
    simulation.have(simulation.preset('milan'))
    assert read_register(0, 0xC0010299) == 0xA1003
    write_register(0, 0xC0010062, 2)
    assert read_register(0, 0xC0010062) == 2
    write_register(0, 0xC0010015, 0x9000011 | 1 << 25)
    assert read_register(0, 0xC0010015) == 0x9000011 | 1 << 25
    energy = [read_register(0, address) for address in (0xC001029A, 0xC001029B)]
    time.sleep(0.2)
    assert all(a != b for a, b in zip(energy, [read_register(0, 0xC001029A), read_register(0, 0xC001029B)]))


@pytest.mark.parametrize('name', ['skylake-sp', 'milan'])
def test_every_register_of_a_preset_is_there(name):
    text = simulation.preset(name)
    simulation.have(text)
    err, done = run_batch([read_op(cpu, address) for address in simulation.addresses(text) for cpu in CPUS])
    assert (err, len(done) > 100) == (0, True)
