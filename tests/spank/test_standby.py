# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin's C and the msr-job that stands by, as two real processes with a real socket between them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.standby import stands_by
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / 'files/spank'
LIMIT = 30


def wait_until(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, 'it never was'
        time.sleep(0.01)


class Node:
    """A directory as a node, with what the plugin asks."""

    def __init__(self, root):
        self.root, self.server = root, None
        self.program = root / 'usr/sbin/msr-job'
        self.write(self.program, '#!/bin/sh\necho started "$@"\nexit 5\n')
        self.write(root / 'usr/lib/msr-safe/hpc_msr_safe/__init__.py', '')
        self.ask_program = root / 'ask'
        places = {'STANDBY_PROGRAM': self.program, 'STANDBY_SOCKET': self.socket}
        subprocess.run(
            ['cc', '-Wall', '-Wextra', '-Werror', f'-I{SOURCES}', '-o', self.ask_program, HERE / 'ask.c']
            + [SOURCES / name for name in ('command.c', 'standby.c')]
            + [f'-D{name}="{place}"' for name, place in places.items()],
            check=True,
        )

    @property
    def socket(self):
        return self.root / 'run/msr-safe/standby'

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def stand_by(self):
        self.server = subprocess.Popen([sys.executable, HERE / 'program.py', self.root])
        wait_until(lambda: stands_by(Machine(str(self.root))))

    def start(self, *arguments, program=None):
        environment = {'SLURM_JOB_ID': '42', 'SECRET': 'of slurmd', 'PATH': os.environ['PATH']}
        command = [self.ask_program, program or self.program, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, *arguments, program=None):
        """Return (exit status, lines)."""
        with self.start(*arguments, program=program) as process:
            lines = process.communicate(timeout=LIMIT)[0].splitlines()
        return process.returncode, lines

    def notes(self):
        path = self.root / 'notes'
        return [line.rsplit(' ', 1)[0] for line in path.read_text().splitlines()] if path.exists() else []

    def pid_of_note(self):
        return int((self.root / 'notes').read_text().split()[-1])

    def go_on(self):
        (self.root / 'go on').touch()

    def clean_up(self):
        self.go_on()
        if self.server:
            self.server.kill()
            self.server.wait()


@pytest.fixture
def node():
    root = Path(tempfile.mkdtemp(dir='/tmp', prefix='standby.'))  # A socket's path is at most 107 bytes
    node = Node(root)
    yield node
    node.clean_up()
    shutil.rmtree(root)


@pytest.fixture
def ready(node):
    node.stand_by()
    return node


def exists(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(') ')[2][0] != 'Z'
    except OSError:
        return False


STARTED = (5, ['started note x'])


def test_where_nobody_stands_by_the_program_is_started(node):
    assert node.ask('note', 'x') == STARTED


def test_who_stands_by_gets_the_arguments_and_a_clean_environment(ready):
    status, lines = ready.ask('show', '--profile=power', '')
    assert status == 3
    assert sorted(lines) == [
        "arguments ['--profile=power', '']",
        "environment [('HOME', '/'), ('LC_ALL', 'C.UTF-8'), ('PATH', '/usr/sbin:/usr/bin:/sbin:/bin'), "
        "('SLURM_JOB_ID', '42')] True",
        'errors come, too',
    ]


def test_another_program_is_started_all_the_same(ready):
    other = ready.root / 'other'
    ready.write(other, '#!/bin/sh\necho other "$@"\n')
    assert ready.ask('note', 'x', program=other) == (0, ['other note x'])
    assert ready.notes() == []


def test_all_that_is_said_comes_through(ready):
    status, lines = ready.ask('say-much', '20000')
    assert (status, len(lines), lines[-1]) == (0, 20000, 'line 19999')


def test_many_at_once(ready):
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda number: ready.ask('note', str(number)), range(40)))
    # More than can wait start programs of their own
    assert {status for status, _lines in answers} <= {0, STARTED[0]}
    assert len(ready.notes()) == [status for status, _lines in answers].count(0) > 0
    assert ready.ask('note', 'after') == (0, [])


@pytest.mark.parametrize(
    ('command', 'status', 'said'),
    [('die', 137, []), ('leave', 2, []), ('fail', 1, ['ValueError: a fault of the program'])],
)
def test_the_ends_of_a_program(ready, command, status, said):
    code, lines = ready.ask(command)
    assert (code, lines[-1:]) == (status, said)
    assert ready.ask('note', 'after') == (0, [])


def test_a_request_that_is_too_long_is_for_a_program(ready):
    status, _lines = ready.ask('note', 'x' * 20000)
    assert status == STARTED[0]
    assert ready.notes() == []


def test_who_cannot_answer_does_nothing_later(ready):
    ready.server.send_signal(signal.SIGSTOP)
    assert ready.ask('note', 'x') == STARTED
    ready.server.send_signal(signal.SIGCONT)
    assert ready.ask('note', 'y') == (0, [])
    assert ready.notes() == ['y']


def test_what_was_begun_is_killed_with_who_asked(ready):
    asking = ready.start('note-slowly', 'x')
    wait_until(ready.notes)
    pid = ready.pid_of_note()
    assert exists(pid)
    asking.kill()
    asking.wait()
    asking.stdout.close()
    wait_until(lambda: not exists(pid))
    ready.go_on()
    assert ready.ask('note', 'after') == (0, [])
    assert ready.notes() == ['x begins', 'after']


def test_what_was_begun_ends_although_who_stands_by_is_killed(ready):
    with ready.start('note-slowly', 'x') as asking:
        wait_until(ready.notes)
        ready.server.kill()
        ready.server.wait()
        assert ready.ask('note', 'x') == STARTED
        ready.go_on()
        assert asking.wait(LIMIT) == 0
    assert ready.notes() == ['x begins', 'x ends']


def test_it_stops_once_what_was_begun_has_ended(ready):
    with ready.start('note-slowly', 'x') as asking:
        wait_until(ready.notes)
        ready.server.terminate()
        wait_until(lambda: ready.ask('note', 'x') == STARTED)
        assert ready.server.poll() is None
        ready.go_on()
        assert asking.wait(LIMIT) == 0
    assert ready.server.wait(LIMIT) == 0
    assert ready.notes() == ['x begins', 'x ends']


def replace(place):
    aside = place.with_name('old')
    place.rename(aside)
    if aside.is_dir():
        shutil.copytree(aside, place)
    else:
        shutil.copy(aside, place)


@pytest.mark.parametrize('path', ['usr/sbin/msr-job', 'usr/lib/msr-safe/hpc_msr_safe'])
def test_a_program_that_was_replaced_is_not_the_one_that_stood_by(ready, path):
    replace(ready.root / path)
    assert ready.ask('note', 'x') == STARTED
    assert ready.server.wait(LIMIT) == 0
    assert ready.notes() == []


def test_a_program_that_was_replaced_leaves_what_was_begun_to_its_end(ready):
    """So the next one is there at once, and a role that has just been applied finds it."""
    asking = ready.start('note-slowly', 'x')
    wait_until(ready.notes)
    replace(ready.program)
    assert ready.ask('note', 'x') == STARTED
    assert ready.server.wait(LIMIT) == 0
    ready.stand_by()
    assert ready.ask('note', 'y') == (0, [])
    ready.go_on()
    assert asking.communicate(timeout=LIMIT) == ('', None)
    assert asking.returncode == 0
    assert ready.notes() == ['x begins', 'y', 'x ends']


def test_a_second_one_leaves_the_first_where_it_is(ready):
    command = [sys.executable, HERE / 'program.py', ready.root]
    second = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=LIMIT, check=False)
    assert second.returncode == 1
    assert 'An msr-job stands by here already' in second.stderr
    assert ready.ask('note', 'x') == (0, [])


def test_only_its_owner_may_ask(ready):
    assert ready.socket.stat().st_mode & 0o777 == 0o600
    assert ready.socket.parent.stat().st_uid == os.geteuid()


def test_systemd_is_told_when_it_is_ready(node):
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(node.root / 'notify'))
        systemd.settimeout(LIMIT)
        command = [sys.executable, HERE / 'program.py', node.root]
        node.server = subprocess.Popen(command, env={**os.environ, 'NOTIFY_SOCKET': str(node.root / 'notify')})
        assert systemd.recv(100) == b'READY=1'
    assert node.ask('note', 'x') == (0, [])
