# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode on the fresh nodes said what the role then did."""

import json
import os
import pathlib

import pytest

testinfra_hosts = ['ssh://skylake', 'ssh://milan']

SCENARIO = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope='module')
def runs():
    """Return the last two runs that had something to do: in check mode, then for real."""
    lines = pathlib.Path(os.environ['MSR_SAFE_CHANGES']).read_text().splitlines()
    return [run for run in map(json.loads, lines) if any(run['done'].values())][-2:]


def test_check_mode_predicted_every_change(runs, node):
    predicted, done = runs
    assert (predicted['check_mode'], done['check_mode']) == (True, False)
    assert predicted['done'][node] == done['done'][node]
    assert len(done['done'][node]) > 5


@pytest.fixture(scope='module')
def prediction(playbook_on):
    return playbook_on('all', SCENARIO, 'site', '--check', '--diff')


def test_check_mode_on_a_converged_node_predicts_nothing(prediction, node):
    assert prediction.succeeded, prediction.output
    assert prediction.changed(node) == 0
