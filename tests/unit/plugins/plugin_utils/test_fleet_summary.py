# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import json

import pytest
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.fleet_summary import FleetSummary


def run():
    """Return the summary of a run on twelve nodes in which there is one of everything."""
    summary = FleetSummary()
    summary.expect(['n%02d' % number for number in range(1, 13)])
    for number in range(1, 4):
        summary.plan('n%02d' % number, {'deferred': []})
    for number in (4, 5):
        summary.plan('n%02d' % number, {'deferred': ['load: load it: the module is in use']})
        summary.apply('n%02d' % number, {'done': ['build: build it, on b']})
        summary.apply('n%02d' % number, {'done': ['install: one', 'install: two'], 'deferred': []})
    for number in (6, 7):
        summary.plan('n%02d' % number, {'deferred': ['approve: activate al_0655: job %d is on the node' % number]})
    summary.fail('n08', 'plan', 'There are no kernel headers for x.\nInstall them.')
    summary.fail('n09', 'plan', 'Task failed: There are no kernel headers for x.\nInstall others.')
    summary.plan('n10', {'deferred': []})
    summary.fail('n10', 'apply', 'Task failed: Module failed: Stage load: The kernel does not load it.')
    summary.fail('n11', 'plan', 'Failed to connect', unreachable=True)
    return summary


def test_people_read_each_reason_once():
    assert run().as_text() == [
        'msr-safe on 12 nodes',
        '      3 as wanted    n[01-03]',
        '      2 changed      n[04-05]',
        '      2 deferred     n[06-07]',
        '        2  approve: activate al_0655: a job is on the node  (n[06-07])',
        '      3 failed       n[08-10]',
        '        2  plan: There are no kernel headers for x.  (n[08-09])',
        '        1  load: The kernel does not load it.  (n10)',
        '      1 unreachable  n11',
        '        1  plan: Failed to connect  (n11)',
        '      1 untouched    n12',
        '        done: build on 2, install on 2',
    ]


def test_programs_read_the_same():
    data = json.loads(json.dumps(run().as_data()))
    assert data['nodes'] == 12
    assert {outcome: len(found['nodes']) for outcome, found in data['outcomes'].items()} == {
        'as wanted': 3,
        'changed': 2,
        'deferred': 2,
        'failed': 3,
        'unreachable': 1,
        'untouched': 1,
    }
    assert data['stages'] == {'build': 2, 'install': 2}
    assert data['reasons'][0] == {
        'outcome': 'deferred',
        'stage': 'approve',
        'reason': 'activate al_0655: a job is on the node',
        'nodes': ['n06', 'n07'],
        'range': 'n[06-07]',
    }


def test_a_run_without_the_role_has_none():
    summary = FleetSummary()
    summary.expect(['n1'])
    assert summary.as_text() == []


@pytest.mark.parametrize('message', [None, '', ' \n'])
def test_an_error_without_words_is_one(message):
    summary = FleetSummary()
    summary.fail('n1', 'plan', message)
    assert summary.as_text()[-1] == '        1  plan: no reason was given  (n1)'


def test_a_heading_is_no_reason():
    summary = FleetSummary()
    summary.fail('n1', 'plan', 'Others are in the way:\n/etc/x is theirs\n/etc/y is theirs\nTake that away.')
    assert summary.as_text()[-1] == '        1  plan: Others are in the way: /etc/x is theirs  (n1)'


def test_what_differs_by_node_is_no_other_reason():
    summary = FleetSummary()
    for number in (1, 2):
        held = 'load: load it: the module is in use: geopmd (pid %d) has /dev/cpu/msr_batch open' % number
        summary.plan('n%d' % number, {'deferred': [held]})
    reason = 'load it: the module is in use: geopmd has /dev/cpu/msr_batch open'
    assert summary.as_text()[-1] == '        2  load: %s  (n[1-2])' % reason


def test_a_node_that_a_broken_off_play_left_with_changes_due_is_not_as_wanted():
    summary = FleetSummary()
    summary.plan('n1', {'due': ['load']})
    assert summary.outcome('n1') == 'untouched'
    summary.apply('n1', {'done': ['load: load it'], 'deferred': []})
    assert summary.outcome('n1') == 'changed'
