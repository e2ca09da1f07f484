# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import multiprocessing
import time

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.plugin_utils import once as once_module
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.once import once


def test_what_was_done_is_not_done_again(tmp_path):
    answers = iter(['first', 'second'])
    assert [once('a', lambda: next(answers), str(tmp_path)) for _each in range(3)] == ['first'] * 3
    assert once('b', lambda: next(answers), str(tmp_path)) == 'second'


def test_what_failed_is_the_error_of_all_in_the_same_words(tmp_path):
    tries = []

    def fail():
        tries.append(1)
        raise MsrSafeError('The builder b: main.c:3:1: error: unknown type', 'Remedy.')

    said = []
    for _each in range(3):
        with pytest.raises(once_module.ActionFailure) as caught:
            once('a', fail, str(tmp_path))
        said.append(str(caught.value))
    assert set(said) == {'The builder b: main.c:3:1: error: unknown type\nRemedy.'}
    assert len(tries) == 1


def test_workers_wait_for_the_first(tmp_path):
    queue = multiprocessing.get_context('fork').Queue()

    def work():
        queue.put('worked')
        time.sleep(0.2)
        return []

    processes = [
        multiprocessing.get_context('fork').Process(target=once, args=('a', work, str(tmp_path))) for _each in range(6)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    assert queue.get(timeout=5) == 'worked'
    assert queue.empty()


def test_another_run_tries_again(tmp_path):
    answers = iter(['first', 'second'])
    for run in ('one', 'two'):
        once('a', lambda: next(answers), str(tmp_path / run))
    assert next(answers, None) is None
