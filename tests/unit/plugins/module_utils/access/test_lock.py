# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import fcntl
import os
import subprocess
import sys
import time

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.access.lock import locked
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import LIST_DEVICE

HOLD = 'import fcntl, sys, time; device = open(sys.argv[1]); fcntl.flock(device, 2); print("held"); time.sleep(60)'


@pytest.fixture
def holder(node):
    """A process that holds the lock of the node, as /proc tells it."""
    process = subprocess.Popen([sys.executable, '-uc', HOLD, node.path(LIST_DEVICE)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b'held\n'
    status = os.stat(node.path(LIST_DEVICE))
    where = '%02x:%02x:%d' % (os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)
    node.put(
        '/proc/locks',
        '1: POSIX  ADVISORY  WRITE 1 %s 0 EOF\n'
        '2: FLOCK  ADVISORY  WRITE 2 00:01:7 0 EOF\n'
        '3: FLOCK  ADVISORY  WRITE %d %s 0 EOF\n' % (where, process.pid, where),
    )
    node.put('/proc/%d/comm' % process.pid, 'msr_restore\n')
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def refusal(node, patience):
    with pytest.raises(MsrSafeError) as caught, locked(node.machine, 'msrsave', patience):
        pass
    return str(caught.value)


def test_the_kernel_tells_the_holder_as_the_fixture_does(node, holder):
    """/proc/locks of this machine has the same words in the same places."""
    with open('/proc/locks') as stream:
        lines = [line.split()[1:] for line in stream]
    assert node.get('/proc/locks').splitlines()[2].split()[1:] in lines


def test_names_the_holder_and_the_way_out(node, holder):
    said = refusal(node, 0)
    assert 'msr_restore (pid %d) holds the lock' % holder.pid in said
    assert '--lock-timeout' in said


def test_waits_as_long_as_it_is_told(node, holder):
    start = time.monotonic()
    refusal(node, 0.3)
    assert 0.3 <= time.monotonic() - start < 5


def test_goes_on_when_the_holder_is_killed(node, holder):
    holder.kill()
    with locked(node.machine, 'msrsave', 10):
        pass


def test_a_holder_that_nobody_can_see_is_another_process(node, holder):
    node.remove('/proc/locks')
    assert 'another process holds the lock' in refusal(node, 0)


def test_is_free_again_afterwards(node):
    for _time in range(2):
        with locked(node.machine, 'msrsave', 0), open(node.path(LIST_DEVICE)) as stream, pytest.raises(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_two_do_not_hold_it_at_once(node):
    with locked(node.machine, 'msrsave', 0):
        assert 'holds the lock' in refusal(node, 0)


def test_is_free_again_after_an_error(node):
    with pytest.raises(ValueError), locked(node.machine, 'msrsave', 0):
        raise ValueError
    with locked(node.machine, 'msrsave', 0):
        pass


def test_names_the_process(node):
    node.put('/proc/self/comm', 'python3\n')
    with locked(node.machine, 'msr_restore', 0):
        assert node.get('/proc/self/comm') == 'msr_restore'


def test_without_a_module_it_says_what_to_do(bare_node):
    assert 'no msr-safe kernel module is loaded' in refusal(bare_node, 0)
