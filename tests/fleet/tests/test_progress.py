# SPDX-License-Identifier: GPL-3.0-or-later
"""A long command is never silent, and its output is kept."""

import io

import pytest
from fleet import progress
from fleet.progress import run_with_progress


def run(script, capsys, **options):
    log = io.BytesIO()
    code = run_with_progress(
        'work', ['sh', '-c', script], log, lambda line: line.strip() if 'step' in line else None, **options
    )
    return code, log.getvalue(), [line.partition('] ')[2] for line in capsys.readouterr().err.splitlines()]


def test_steps_are_said_and_everything_is_logged(capsys):
    code, log, said = run('echo step one; echo noise; echo step two >&2; printf end; exit 3', capsys)
    assert code == 3
    assert log == b'step one\nnoise\nstep two\nend'
    assert said == ['work: step one', 'work: step two']


def test_silence_is_broken(capsys):
    said = run('echo step one; sleep 0.5', capsys, interval=0.1)[2]
    assert said.count('work: step one') > 2


def test_a_variable_is_added_to_the_environment(capsys):
    assert run('echo $COLOUR $HOME', capsys, environment={'COLOUR': 'red'})[1].startswith(b'red /')


def test_a_command_that_is_deaf_ends_with_us(monkeypatch):
    monkeypatch.setattr(progress, 'GRACE', 0.2)

    def interrupted(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_with_progress('work', ['sh', '-c', 'trap "" TERM; echo; sleep 60'], io.BytesIO(), interrupted)
