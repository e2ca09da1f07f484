# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""/dev/cpu/msr_approved_list"""

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import subprocess
import threading
import time

import msr_devices
import node
import pytest
from msr_devices import ALL_ONES, APPROVED_LIST, errno_of, read_list, render_list, write_list

OLD = render_list(
    {
        msr_devices.SCRATCH: ALL_ONES,
        msr_devices.SCRATCH_2: 0xFF00,
        msr_devices.READ_ONLY: 0,
        msr_devices.FAULTING: ALL_ONES,
    }
)
LIMIT = 1 << 20


def test_reading_gives_header_and_entries_by_address():
    assert read_list() == OLD
    assert OLD.startswith('#')


@pytest.mark.parametrize(
    'text, entries',
    [
        ('0x10 0x1\n', {0x10: 1}),
        ('0x10 0x1', {0x10: 1}),
        ('16 1', {16: 1}),
        ('0 0', {0: 0}),
        ('020 017', {0o20: 0o17}),
        ('0X1A 0XaBcDeF', {0x1A: 0xABCDEF}),
        ('0xFFFFFFFF 0xFFFFFFFFFFFFFFFF', {0xFFFFFFFF: ALL_ONES}),
        ('4294967295 18446744073709551615', {0xFFFFFFFF: ALL_ONES}),
        ('0x0000000000000000000000010 1', {0x10: 1}),
        (' \t 0x10 \t 0x1 \t ', {0x10: 1}),
        ('0x10 0x1# comment', {0x10: 1}),
        ('0x10 0x1 # comment # more', {0x10: 1}),
        ('0x10 0x1 #', {0x10: 1}),
        ('0x10 0x1\r\n0x11 0x2\r\n', {0x10: 1, 0x11: 2}),
        ('# comment\n\n   \n\t# another\n0x20 2\n0x10 1\n# end', {0x10: 1, 0x20: 2}),
        ('# caf\u00e9\n0x10 1'.encode('utf-8'), {0x10: 1}),
    ],
)
@pytest.mark.parametrize('chunk', [None, 1])
def test_what_is_accepted(text, entries, chunk):
    assert write_list(text, chunk) == ('', 0)
    assert read_list() == render_list(entries)


REFUSED = [
    ('0x10', 'close', errno.EINVAL, 1),
    ('0x', 'close', errno.EINVAL, 1),
    ('0x10 0x', 'close', errno.EINVAL, 1),
    ('0x10\n', 'write', errno.EINVAL, 1),
    ('0x10 # comment', 'write', errno.EINVAL, 1),
    ('0x10 0x1\n0x11\n0x12 1', 'write', errno.EINVAL, 2),
    ('zebra', 'write', errno.EINVAL, 1),
    ('0x10 zebra', 'write', errno.EINVAL, 1),
    ('0x10 0x1 0x2', 'write', errno.EINVAL, 1),
    ('0x10 0x1\n\n# comment\n0x11 0x1g\n', 'write', errno.EINVAL, 4),
    ('0x 0x1', 'write', errno.EINVAL, 1),
    ('0xx10 1', 'write', errno.EINVAL, 1),
    ('08 1', 'write', errno.EINVAL, 1),
    ('-1 1', 'write', errno.EINVAL, 1),
    ('+1 1', 'write', errno.EINVAL, 1),
    ('1.0 1', 'write', errno.EINVAL, 1),
    ('0x10UL 1', 'write', errno.EINVAL, 1),
    ('0x10,0x1', 'write', errno.EINVAL, 1),
    ('0x10 0x1\0', 'write', errno.EINVAL, 1),
    ('0x100000000 0x1\n', 'write', errno.EINVAL, 1),
    ('0x10 1\n0x100000000', 'write', errno.EINVAL, 2),
    ('4294967296 1\n', 'write', errno.EINVAL, 1),
    ('0x10 0x10000000000000000', 'write', errno.ERANGE, 1),
    ('0x10 1\n0x11 18446744073709551616\n', 'write', errno.ERANGE, 2),
    ('0x10000000000000000 0x1\n', 'write', errno.ERANGE, 1),
    ('0x10 1\n0x11 1\n16 2\n', 'write', errno.ENOTUNIQ, 3),
    ('0x10 1\n0x10 1', 'write', errno.ENOTUNIQ, 2),
    ('# nothing but a comment\n', 'close', errno.ENOMSG, None),
    ('\n#', 'close', errno.ENOMSG, None),
]


def assert_refused_and_logged(log, text, call, err, line):
    assert write_list(text) == (call, err)
    assert read_list() == OLD
    expected = 'approved list: line %d: ' % line if line else 'approved list: '
    assert any(expected in entry and 'the list in force stays' in entry for entry in log.read()), log.lines


@pytest.mark.parametrize('text, call, err, line', REFUSED)
def test_what_is_refused_leaves_the_old_list_and_is_logged(log, text, call, err, line):
    assert_refused_and_logged(log, text, call, err, line)


@pytest.mark.parametrize('text, call, err, line', REFUSED)
def test_what_is_refused_is_refused_in_single_bytes_too(text, call, err, line):
    if text.startswith('0x10000000000000000 '):
        err = errno.EINVAL  # with a border inside the number: already too wide
    assert write_list(text, 1) == (call, err)
    assert read_list() == OLD


def big_list(size):
    """Return (text, entries) of a list of about that size."""
    entries = {}
    lines = []
    length = 0
    while length < size:
        address = (len(entries) * 2654435761) & 0xFFFFFFFF
        entries[address] = len(entries)
        lines.append('0x%x %d # entry\n' % (address, entries[address]))
        length += len(lines[-1])
    return ''.join(lines), entries


@pytest.mark.parametrize('chunk', [1, 7, 64, 4096])
def test_chunks_add_up_to_one_list(chunk):
    text, entries = big_list(20000)
    assert write_list(text, chunk) == ('', 0)
    assert read_list() == render_list(entries)


@pytest.mark.parametrize('chunk', [1, 5, 30, 31, 32, 4096, 1 << 20])
def test_read_sizes(chunk):
    text, entries = big_list(6000)
    assert write_list(text) == ('', 0)
    assert read_list(chunk) == render_list(entries)


def test_what_is_read_can_be_written_back():
    text = read_list()
    assert write_list('1 1') == ('', 0)
    assert write_list(text) == ('', 0)
    assert read_list() == text


@pytest.mark.parametrize('text', ['\n', ' ', '\n\n\t \r\n'])
def test_white_space_clears_the_list(text):
    assert write_list(text) == ('', 0)
    assert read_list() == render_list({})


def test_the_shell_can_clear_and_set_it():
    subprocess.run(['bash', '-c', 'echo > ' + APPROVED_LIST], check=True)
    assert read_list() == render_list({})
    subprocess.run(['bash', '-c', 'printf "0x10 1\\n" > ' + APPROVED_LIST], check=True)
    assert read_list() == render_list({0x10: 1})
    subprocess.run(['bash', '-c', '{ echo 0x11 1; cat; } > ' + APPROVED_LIST], check=True, input=b'0x12 2\n')
    assert read_list() == render_list({0x11: 1, 0x12: 2})


def cat_into_list(text):
    command = ['bash', '-c', 'cat > ' + APPROVED_LIST]
    return subprocess.run(command, input=text, stderr=subprocess.PIPE, check=False)


def test_cat_reports_what_the_kernel_refuses():
    done = cat_into_list(b'0x10 1\nzebra\n')
    assert done.returncode != 0
    assert b'Invalid argument' in done.stderr
    done = cat_into_list(b'0x10')
    assert done.returncode != 0
    assert read_list() == OLD


@pytest.mark.parametrize('mode', [os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC | os.O_CREAT | os.O_APPEND])
def test_opening_and_closing_changes_nothing(mode):
    fd = os.open(APPROVED_LIST, mode)
    os.write(fd, b'')
    os.close(fd)
    assert read_list() == OLD


def test_nothing_is_in_force_before_the_close():
    fd = os.open(APPROVED_LIST, os.O_WRONLY)
    os.write(fd, b'0x10 1\n')
    assert read_list() == OLD
    os.write(fd, b'0x11 1\n')
    assert read_list() == OLD
    os.close(fd)
    assert read_list() == render_list({0x10: 1, 0x11: 1})


def test_a_child_that_exits_does_not_publish_half_a_list():
    fd = os.open(APPROVED_LIST, os.O_WRONLY)
    os.set_inheritable(fd, True)
    os.write(fd, b'0x10 1\n')
    subprocess.run(['true'], close_fds=False, check=True)
    subprocess.run(['echo', '0x11 1'], stdout=fd, check=True)
    os.close(os.dup(fd))
    assert read_list() == OLD
    os.write(fd, b'0x12 1\n')
    os.close(fd)
    assert read_list() == render_list({0x10: 1, 0x11: 1, 0x12: 1})


def end_after_writing(text, end):
    """A child opens the list, writes the text, and comes to this end without closing."""

    def write_and_end():
        os.write(os.open(APPROVED_LIST, os.O_WRONLY), text)
        return end()

    with node.child(write_and_end) as pid:
        os.waitpid(pid, 0)


def test_a_writer_that_ends_well_has_closed():
    end_after_writing(b'0x10 1\n', lambda: 0)
    assert read_list() == render_list({0x10: 1})


CUT = b'0x10 0\n0x1A0 0x4000000000\n0x199 0xffff\n'


def die(number):
    os.kill(os.getpid(), number)
    time.sleep(60)


@pytest.mark.parametrize(
    'end',
    [lambda: die(signal.SIGKILL), lambda: die(signal.SIGTERM), lambda: die(signal.SIGHUP), lambda: 1, lambda: 255],
    ids=['SIGKILL', 'SIGTERM', 'SIGHUP', 'exit 1', 'exit 255'],
)
def test_a_writer_that_comes_to_a_bad_end_publishes_nothing(end):
    for cut in range(1, len(CUT) + 1):
        end_after_writing(CUT[:cut], end)
        assert read_list() == OLD, 'cut after %d characters' % cut


def test_a_killed_thread_takes_the_list_with_it():
    """All threads of a process that is killed have the same end, whichever closes the file in the end."""

    def write_in_a_thread():
        fd = os.open(APPROVED_LIST, os.O_WRONLY)
        threads = [threading.Thread(target=time.sleep, args=(60,), daemon=True) for _thread in range(3)]
        for thread in threads:
            thread.start()
        os.write(fd, CUT)
        os.kill(os.getpid(), signal.SIGKILL)

    with node.child(write_in_a_thread) as pid:
        os.waitpid(pid, 0)
    assert read_list() == OLD


def test_what_a_killed_child_wrote_is_not_published_by_its_parent():
    fd = os.open(APPROVED_LIST, os.O_WRONLY)
    os.set_inheritable(fd, True)
    os.write(fd, b'0x10 1\n')
    with node.child(lambda: os.write(fd, b'0x1A0 0x40') and die(signal.SIGKILL)) as pid:
        os.waitpid(pid, 0)
    assert errno_of(os.write, fd, b'\n') == errno.ECANCELED
    assert errno_of(os.close, fd) == errno.ECANCELED
    assert read_list() == OLD


def test_what_was_not_published_is_logged(log):
    end_after_writing(CUT[:20], lambda: 1)
    assert [line for line in log.read() if 'bad end' in line], log.lines


def test_a_child_that_fails_without_having_written_does_no_harm():
    fd = os.open(APPROVED_LIST, os.O_WRONLY)
    os.set_inheritable(fd, True)
    os.write(fd, b'0x10 1\n')
    assert subprocess.run(['false'], close_fds=False, check=False).returncode == 1
    assert errno_of(os.close, fd) == 0
    assert read_list() == render_list({0x10: 1})


@contextlib.contextmanager
def held_elsewhere(fd):
    """Another process holds the open file."""
    with node.child(lambda: time.sleep(60)) as pid:
        yield pid


def test_where_another_holds_the_file_closing_publishes_nothing():
    fd = os.open(APPROVED_LIST, os.O_WRONLY)
    os.write(fd, b'0x10 1\n')
    with held_elsewhere(fd):
        assert errno_of(os.close, fd) == 0
        assert read_list() == OLD
    # The other one was killed.
    assert read_list() == OLD


def test_a_commit_is_certain_whoever_holds_the_file():
    fd = os.open(APPROVED_LIST, os.O_WRONLY)
    os.write(fd, b'0x10 1')
    with held_elsewhere(fd):
        assert msr_devices.commit(fd) == 0
        assert read_list() == render_list({0x10: 1})
        assert errno_of(os.close, fd) == 0
    assert read_list() == render_list({0x10: 1})


def test_after_a_commit_another_list_may_follow():
    fd = os.open(APPROVED_LIST, os.O_WRONLY)
    assert msr_devices.commit(fd) == errno.ENODATA
    os.write(fd, b'0x10 1')
    assert msr_devices.commit(fd) == 0
    assert msr_devices.commit(fd) == errno.ENODATA
    os.write(fd, b'0x11 1\n')
    assert read_list() == render_list({0x10: 1})
    os.close(fd)
    assert read_list() == render_list({0x11: 1})


def test_a_committed_list_stays_though_its_writer_is_killed():
    def write_and_commit():
        fd = os.open(APPROVED_LIST, os.O_WRONLY)
        os.write(fd, b'0x10 1\n')
        msr_devices.commit(fd)
        os.write(fd, b'0x11 1\n')
        die(signal.SIGKILL)

    with node.child(write_and_commit) as pid:
        os.waitpid(pid, 0)
    assert read_list() == render_list({0x10: 1})


@pytest.mark.parametrize('text, err', [(b'0x10', errno.EINVAL), (b'# none\n', errno.ENOMSG)])
def test_a_commit_of_a_bad_list_says_why(log, text, err):
    fd = os.open(APPROVED_LIST, os.O_WRONLY)
    os.write(fd, text)
    assert msr_devices.commit(fd) == err
    assert read_list() == OLD
    assert [line for line in log.read() if 'the list in force stays' in line], log.lines
    os.write(fd, b'0x10 1\n')
    assert msr_devices.commit(fd) == 0
    os.close(fd)
    assert read_list() == render_list({0x10: 1})


def test_a_commit_needs_a_file_open_for_writing_and_flags_that_are_known():
    fd = os.open(APPROVED_LIST, os.O_RDONLY)
    assert msr_devices.commit(fd) == errno.EBADF
    os.close(fd)
    fd = os.open(APPROVED_LIST, os.O_RDWR)
    os.write(fd, b'0x10 1\n')
    assert msr_devices.sized_ioctl(fd, msr_devices.COMMIT_IOCTL, 'I', 1)[0] == errno.EINVAL
    assert msr_devices.sized_ioctl(fd, msr_devices.COMMIT_IOCTL, 'I', 0, size=4)[0] == errno.EINVAL
    assert msr_devices.sized_ioctl(fd, msr_devices.COMMIT_IOCTL, 'II', 0, 1)[0] == errno.E2BIG
    assert errno_of(fcntl.ioctl, fd, msr_devices.BATCH_IOCTL, bytearray(16)) == errno.ENOTTY
    assert read_list() == OLD
    assert msr_devices.sized_ioctl(fd, msr_devices.COMMIT_IOCTL, 'I', 0, room=64)[0] == 0
    os.close(fd)
    assert read_list() == render_list({0x10: 1})


def test_the_log_says_who_replaced_the_list(log):
    assert write_list('0x10 1\n0x11 1\n') == ('', 0)
    said = [line for line in log.read() if 'approved list: 2 registers, by ' in line]
    assert len(said) == 1 and '[%d] of uid 0' % os.getpid() in said[0], log.lines


def test_no_bad_list_is_left_out_of_the_log(log):
    for number in range(30):
        assert write_list('0x10 1\nzebra%d' % number)[1] == errno.EINVAL
    said = [line for line in log.read() if 'approved list: line 2: ' in line]
    assert len(said) == 30


def test_after_an_error_a_descriptor_takes_nothing_more():
    fd = os.open(APPROVED_LIST, os.O_WRONLY)
    assert errno_of(os.write, fd, b'0x10 1\nzebra\n') == errno.EINVAL
    assert errno_of(os.write, fd, b'0x11 1\n') == errno.EINVAL
    assert errno_of(os.close, fd) == errno.EINVAL
    assert read_list() == OLD


def test_each_writer_has_its_own_list_and_the_last_close_wins():
    first = os.open(APPROVED_LIST, os.O_WRONLY)
    second = os.open(APPROVED_LIST, os.O_WRONLY)
    os.write(first, b'0x10 1\n')
    os.write(second, b'0x10 2\n')
    os.close(second)
    assert read_list() == render_list({0x10: 2})
    os.close(first)
    assert read_list() == render_list({0x10: 1})


def test_a_reader_sees_one_list():
    text, entries = big_list(10000)
    fd = os.open(APPROVED_LIST, os.O_RDONLY)
    start = os.read(fd, 40)
    assert write_list(text) == ('', 0)
    rest = b''.join(iter(lambda: os.read(fd, 40), b''))
    os.close(fd)
    assert (start + rest).decode() == OLD
    assert read_list() == render_list(entries)


def test_seeking_is_for_reading():
    fd = os.open(APPROVED_LIST, os.O_RDONLY)
    assert os.lseek(fd, 0, os.SEEK_END) == len(OLD)
    assert os.read(fd, 10) == b''
    assert os.lseek(fd, 31, os.SEEK_SET) == 31
    assert os.read(fd, 50) == OLD[31:81].encode()
    assert os.pread(fd, 50, 3) == OLD[3:53].encode()
    os.close(fd)
    fd = os.open(APPROVED_LIST, os.O_WRONLY)
    assert errno_of(os.lseek, fd, 0, os.SEEK_SET) == errno.ESPIPE
    assert errno_of(os.pwrite, fd, b'0x10 1', 0) == errno.ESPIPE
    os.close(fd)
    assert read_list() == OLD


def test_reading_and_writing_through_one_descriptor():
    fd = os.open(APPROVED_LIST, os.O_RDWR)
    assert errno_of(os.pwrite, fd, b'0x10 1', 0) == errno.ESPIPE
    os.write(fd, b'0x10 1\n')
    assert os.read(fd, 4096) == OLD.encode()
    os.write(fd, b'0x11 1\n')
    os.close(fd)
    assert read_list() == render_list({0x10: 1, 0x11: 1})


def test_a_text_at_the_limit_and_one_above():
    entry = '0x10 1\n'
    padding = '#' + 'x' * (LIMIT - len(entry) - 2) + '\n'
    assert len(entry + padding) == LIMIT
    assert write_list(entry + padding) == ('', 0)
    assert read_list() == render_list({0x10: 1})
    assert write_list(entry + padding + '\n') == ('write', errno.E2BIG)
    assert write_list(entry + padding + '\n', 65536) == ('write', errno.E2BIG)
    assert read_list() == render_list({0x10: 1})


def test_a_text_above_the_limit_is_logged(log):
    assert_refused_and_logged(log, '0x10 1\n' + ' ' * LIMIT, 'write', errno.E2BIG, 1)


def test_little_memory_is_enomem_and_the_old_list_stays(log):
    """Each entry takes more memory than its text: no more than the writer's cgroup may have."""
    text = ''.join('%d 1\n' % address for address in range(LIMIT // 9))
    status = node.run_in_little_memory(4 << 20, lambda: write_list(text)[1])
    assert os.WIFEXITED(status), 'killed by signal %d' % os.WTERMSIG(status)
    assert os.WEXITSTATUS(status) == errno.ENOMEM
    assert read_list() == OLD
    assert [line for line in log.read() if 'out of memory' in line and 'approved list: line ' in line], log.lines


def test_the_longest_lists(log):
    """Entries in order, and in one that is bad for many search trees and hashes: no CPU is held up by them."""
    count = LIMIT // 9
    for addresses in (range(count), range(count, 0, -1)):
        assert write_list(''.join('%d 1\n' % address for address in addresses)) == ('', 0)
        held = read_list()
        assert [int(line.split()[0], 16) for line in held.splitlines() if line[0] != '#'] == sorted(addresses)
    assert not [line for line in log.read() if 'soft lockup' in line or 'rcu' in line], log.lines


@pytest.mark.parametrize('address', [0, 8, 1 << 63])
def test_bad_user_memory_is_efault(address):
    libc = msr_devices.libc
    fd = os.open(APPROVED_LIST, os.O_RDWR)
    assert libc.read(fd, ctypes.c_void_p(address), ctypes.c_size_t(8)) == -1
    assert ctypes.get_errno() == errno.EFAULT
    assert libc.write(fd, ctypes.c_void_p(address), ctypes.c_size_t(8)) == -1
    assert ctypes.get_errno() == errno.EFAULT
    # The last of the addresses does not even reach the module.
    assert errno_of(os.close, fd) == (0 if address == 1 << 63 else errno.EFAULT)
    assert read_list() == OLD


def test_the_list_is_never_partial_while_it_is_replaced():
    lists = [render_list(dict.fromkeys(range(start, start + 200), start)) for start in (1000, 5000)]
    assert write_list(lists[0]) == ('', 0)
    stop = threading.Event()

    def replace():
        while not stop.is_set():
            for text in reversed(lists):
                assert write_list(text, 512) == ('', 0)

    writers = [threading.Thread(target=replace) for _writer in range(2)]
    for writer in writers:
        writer.start()
    seen = set()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        text = read_list(1000)
        assert text in lists
        seen.add(text)
    stop.set()
    for writer in writers:
        writer.join()
    assert len(seen) == 2
