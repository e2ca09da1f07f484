# SPDX-License-Identifier: GPL-3.0-or-later
"""A process is ended if it is the right one, and no other."""

import subprocess
from contextlib import contextmanager

from fleet.process import find_process, kill_process

MARK = '/a/path/that/no/other/process/names'


@contextmanager
def process_with(argument):
    """A process that runs: before it says so, the kernel may not know its arguments yet.

    It waits without a child: between fork and exec a child has its parent's arguments, and may outlive it.
    """
    with subprocess.Popen(
        ['sh', '-c', 'echo; read forever', 'sh', argument], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        yield process


def test_the_process_with_the_argument_is_ended():
    with process_with(MARK) as process:
        assert find_process(MARK) == process.pid
        assert kill_process(MARK)
        assert process.wait() < 0
    assert find_process(MARK) is None
    assert not kill_process(MARK)


def test_a_longer_argument_is_another():
    with process_with(f'{MARK}/pid') as process:
        assert not kill_process(MARK)
        assert process.poll() is None
        process.kill()
