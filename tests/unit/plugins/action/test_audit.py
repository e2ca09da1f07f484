# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The playbook of an audit, on hosts that are stubs: all are observed, then compared once."""

import json

import pytest
from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import run_playbook, write_stub
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.audit.paper import observed

NODES = ['n%d' % number for number in range(1, 8)]


def run_audit(directory, *arguments, **environment):
    """Run the playbook on equal nodes; return (the process, what it says of the nodes, {state: how many})."""
    script = write_stub(directory, 'node', {'observation': observed(), 'equal': {}})
    line = '%s ansible_connection=local ansible_become=false ansible_python_interpreter=%s\n'
    (directory / 'hosts').write_text(''.join(line % (name, script) for name in NODES))
    where = 'msr_audit_directory=%s' % (directory / 'audit')
    process = run_playbook(directory, 'hpc.msr_safe.audit', '-e', where, *arguments, **environment)
    return process, json.loads((directory / 'audit' / 'findings.json').read_text())['counts']


@pytest.mark.parametrize('strategy', ['linear', 'free'])
def test_all_nodes_are_observed_before_they_are_compared_once(tmp_path, strategy):
    process, counts = run_audit(tmp_path, '--forks', '2', ANSIBLE_STRATEGY=strategy)
    assert process.returncode == 0, process.stdout
    assert counts['ok'] == len(NODES), process.stdout
    assert process.stdout.count('All %d nodes are as they should be' % len(NODES)) == 1, process.stdout


def test_a_kept_run_that_cannot_be_read_is_a_warning(tmp_path):
    damaged = tmp_path / 'audit' / 'runs' / '2026-01-01T000000Z.json'
    damaged.parent.mkdir(parents=True)
    damaged.write_text('{')
    process, _counts = run_audit(tmp_path, '-e', 'msr_audit_mine=1')
    assert process.returncode == 0, process.stdout
    words = ' '.join(process.stdout.split())
    assert damaged.name in words and 'reads msr_audit_mine' in words, process.stdout
