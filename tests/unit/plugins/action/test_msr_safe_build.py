# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Plays on stub hosts: who builds, and what those are told who wait for it."""

import base64
import json
import re

import pytest
from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import observations, run_playbook, write_stub

PLAY = """\
- hosts: nodes
  gather_facts: false
  strategy: %s
  serial: %s
  tasks:
    - ansible.builtin.import_role: {name: hpc.msr_safe.msr_safe}
"""
NODES = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6']


@pytest.fixture
def play(tmp_path):
    """A function that runs the role on six stub nodes, and returns {node: what it failed with, or None}."""
    fresh, converged = observations()
    rollout = {'msr_safe': fresh, 'done': ['x'], 'deferred': [], 'observed': converged, 'changed': True}
    node = write_stub(tmp_path, 'node', rollout)

    def run(builder, strategy='linear', serial='100%', check=False, python=None, artifacts='artifacts', **answer):
        stub = write_stub(tmp_path, 'builder', answer)
        if python:
            stub.write_text(python)
        hosts = ['[nodes]', *('%s ansible_connection=local ansible_python_interpreter=%s' % (n, node) for n in NODES)]
        hosts += ['[builders]', 'good ansible_connection=local ansible_python_interpreter=%s' % stub]
        hosts += ['gone ansible_connection=ssh ansible_host=host.invalid']
        (tmp_path / 'hosts').write_text('\n'.join(hosts) + '\n')
        (tmp_path / 'play.yml').write_text(PLAY % (strategy, serial))
        settings = {
            'msr_safe_builder': builder,
            'msr_safe_builder_become': False,
            'msr_safe_artifacts': str(tmp_path / artifacts),
        }
        process = run_playbook(
            tmp_path,
            *('play.yml', '-e', json.dumps(settings)),
            *(['--check'] * check),
            ANSIBLE_FORKS='4',
            ANSIBLE_STDOUT_CALLBACK='ansible.builtin.default',
            ANSIBLE_NOCOLOR='1',
        )
        return outcomes(process.stdout)

    return run


def outcomes(output):
    """Return {node: message or None} of a play's output, in which messages are JSON."""
    found = {}
    for name, failed in re.findall(r'^(n[0-9]) .* failed=([0-9])', output, re.MULTILINE):
        messages = re.findall(r'^fatal: \[%s[^\]]*\]: \S+ => (.*)$' % name, output, re.MULTILINE)
        found[name] = json.loads(messages[-1])['msg'] if int(failed) else None
    return found


def runs(tmp_path, name):
    path = tmp_path / (name + '.runs')
    return len(path.read_text().split()) if path.exists() else 0


def built():
    return {'done': ['build: build it'], 'changed': True, 'module': base64.b64encode(b'module').decode()}


@pytest.mark.parametrize(
    'strategy, serial', [('linear', '100%'), ('free', '100%'), ('host_pinned', '100%'), ('linear', 2)]
)
def test_all_nodes_wait_for_one_build(play, tmp_path, strategy, serial):
    assert play('good', strategy, serial, **built()) == dict.fromkeys(NODES)
    assert runs(tmp_path, 'builder') == 1
    (artifact,) = (tmp_path / 'artifacts').glob('*/msr-safe.ko')
    assert artifact.read_bytes() == b'module'


@pytest.mark.parametrize('strategy', ['linear', 'free'])
def test_a_build_that_fails_is_the_error_of_all_in_the_same_words(play, tmp_path, strategy):
    said = play('good', strategy, failed=True, msg='The module does not build: main.c:3:1: error: unknown type')
    assert set(said) == set(NODES)
    assert set(said.values()) == {'The builder good: The module does not build: main.c:3:1: error: unknown type'}
    assert runs(tmp_path, 'builder') == 1


@pytest.mark.parametrize('strategy', ['linear', 'free'])
def test_a_builder_that_is_gone_is_the_error_of_all_in_the_same_words(play, strategy):
    said = play('gone', strategy)
    assert set(said) == set(NODES)
    (words,) = set(said.values())
    assert words.startswith('The builder gone is unreachable: ')


def test_a_builder_without_a_python_that_runs_is_said_with_what_it_says(play):
    script = '#!/bin/sh\ncat >/dev/null\necho python3.9: not found >&2\nexit 127\n'
    said = play('good', python=script)
    assert set(said) == set(NODES)
    (words,) = set(said.values())
    assert words.startswith('The builder good: ') and 'python3.9: not found' in words


def test_a_directory_of_the_controller_that_cannot_be_written_is_the_error_of_all(play, tmp_path):
    said = play('good', artifacts='play.yml/modules', **built())
    assert set(said) == set(NODES)
    (words,) = set(said.values())
    assert words.startswith('Cannot write %s' % tmp_path)
    assert 'on the controller' in words and 'msr_safe_artifacts' in words and 'become' not in words


def test_check_mode_keeps_nothing(play, tmp_path):
    assert play('good', check=True, done=['build: build it'], changed=True, module=None) == dict.fromkeys(NODES)
    assert runs(tmp_path, 'builder') == 1
    assert not (tmp_path / 'artifacts').exists()
