# SPDX-License-Identifier: GPL-3.0-or-later
"""A process is ended if it is the right one, and no other."""

import subprocess

from fleet.process import find_process, kill_process

MARK = '/a/path/that/no/other/process/names'


def test_the_process_with_the_argument_is_ended():
    with subprocess.Popen(['sh', '-c', 'sleep 60; true', 'sh', MARK]) as process:
        assert find_process(MARK) == process.pid
        assert kill_process(MARK)
        assert process.wait() < 0
    assert find_process(MARK) is None
    assert not kill_process(MARK)


def test_a_longer_argument_is_another():
    with subprocess.Popen(['sh', '-c', 'sleep 60; true', 'sh', f'{MARK}/pid']) as process:
        assert not kill_process(MARK)
        assert process.poll() is None
        process.kill()
