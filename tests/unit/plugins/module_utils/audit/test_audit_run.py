# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A run's file."""

import json

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.indexes import fold_indexes, unfold_indexes
from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.kept import (
    forget_runs,
    keep_run,
    kept_runs,
    read_run,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.run import parse_run, render_run
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.audit.paper import fleet, observed, record


def test_equal_nodes_are_written_once():
    few, many = (render_run(record(fleet({}, count))) for count in (10, 1000))
    assert len(many) - len(few) < 60 * 990


def test_it_comes_back_as_it_was():
    run = record(fleet({'odd': observed(kernel='5.10.0'), 'gone': ('unreachable', 'no route')}))
    assert parse_run(render_run(run), 'run.json') == run


def test_indexes_keep_their_order():
    for indexes in ([], [7], [0, 1, 2, 9, 3, 4], [70000, 70001]):
        assert unfold_indexes(fold_indexes(indexes)) == indexes
    assert fold_indexes([0, 1, 2, 9, 3]) == '0-2,9,3'


@pytest.mark.parametrize(
    'damage, words',
    [
        (lambda text: text[:-40], 'is damaged'),
        (lambda text: '[]', 'is not a run'),
        (lambda text: text.replace('"version": 1', '"version": 2'), 'format version 2'),
        (lambda text: text.replace('"registers":"0-3"', '"registers":"0-9"'), 'is malformed'),
        (lambda text: text.replace('"0-3"},{}]', '"0-x"},{}]'), 'is malformed'),
        (lambda text: text.replace('"counts": {', '"counts": {"ok": null'), 'is malformed'),
        (lambda text: text.replace('"findings": [', '"findings": [{"category": "power"}'), 'is malformed'),
        (lambda text: text.replace('"registers":"0-3"', '"registers":[]'), 'is malformed'),
        (lambda text: text.replace('"vendor"', '"maker"'), 'is malformed'),
        (lambda text: json.dumps({'format': 'hpc.msr_safe audit', 'version': 1}), 'is malformed'),
    ],
)
def test_a_file_that_is_no_run_is_refused_by_name(damage, words):
    text = render_run(record(fleet({})))
    assert damage(text) != text
    with pytest.raises(MsrSafeError) as caught:
        parse_run(damage(text), '/srv/run.json')
    assert caught.value.problem.startswith('/srv/run.json ') and words in caught.value.problem


@pytest.fixture
def kept(tmp_path):
    machine, directory = Machine(), str(tmp_path)
    run = record(fleet({}))
    for day in range(1, 6):
        keep_run(machine, directory, run._replace(time='2026-11-%02dT06:00:00Z' % day))
    return machine, directory


def days(machine, directory):
    return [path[-len('05T060000Z.json') :][:2] for path in kept_runs(machine, directory)]


def test_runs_are_kept_in_order_and_read_back(kept):
    assert days(*kept) == ['01', '02', '03', '04', '05']
    assert read_run(kept[0], kept_runs(*kept)[0]).time == '2026-11-01T06:00:00Z'


@pytest.mark.parametrize(
    'count, age, left',
    [
        (2, 0, ['04', '05']),
        (0, 0, ['01', '02', '03', '04', '05']),
        (0, 3, ['03', '04', '05']),
        (1, 1, ['05']),
    ],
)
def test_older_runs_go_by_count_and_by_age(kept, count, age, left):
    now = 1793858401  # a second after 2026-11-05T06:00:00Z
    forget_runs(*kept, count=count, days=age, now=now)
    assert days(*kept) == left


def test_a_baseline_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MsrSafeError) as caught:
        read_run(Machine(), str(tmp_path / 'gone.json'))
    assert 'gone.json' in caught.value.problem
