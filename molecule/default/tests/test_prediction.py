# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode on the fresh nodes said what the role then did."""

import json
import os
import pathlib

import pytest

testinfra_hosts = ['ssh://skylake', 'ssh://milan']


@pytest.fixture(scope='module')
def runs():
    path = pathlib.Path(os.environ['MSR_SAFE_CHANGES'])
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_check_mode_predicted_every_change(runs, node):
    predicted = next(run for run in runs if run['check_mode'])
    done = next(run for run in runs if not run['check_mode'])
    assert predicted['done'][node] == done['done'][node]
    assert len(done['done'][node]) > 5


def test_check_mode_on_a_converged_node_predicts_nothing(playbook, node):
    result = playbook('site', '--check', '--diff')
    assert result.succeeded, result.output
    assert result.changed(node) == 0
