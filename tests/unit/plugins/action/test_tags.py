# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tags on stub hosts: a run with one does a whole thing, or nothing."""

import copy
import json

import pytest
from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import (
    observations,
    run_with_summary,
    write_stub,
)

PLAY = """\
- hosts: all
  gather_facts: false
  roles:
    - role: hpc.msr_safe.msr_safe
      tags: [of_the_site]
  tasks:
    - name: Something else
      ansible.builtin.debug:
        msg: something else
      tags: [other]
"""


@pytest.fixture
def play(tmp_path):
    """A function that runs the play in check mode on a node whose commands and list are old; returns what it says."""
    _fresh, converged = observations()
    outdated = copy.deepcopy(converged)
    outdated['approved_list'].update(sha256='another', registers=5)
    outdated['commands_digest'] = 'old'
    script = write_stub(tmp_path, 'n1', {'msr_safe': outdated})
    (tmp_path / 'hosts').write_text('n1 ansible_connection=local ansible_python_interpreter=%s\n' % script)
    (tmp_path / 'play.yml').write_text(PLAY)

    def run(*arguments):
        _summary, process = run_with_summary(tmp_path, 'play.yml', '--check', *arguments)
        assert process.returncode == 0, process.stdout
        path = tmp_path / 'summary.json'
        return sorted(json.loads(path.read_text())['stages']) if path.exists() else None

    return run


def test_without_tags_all_is_done(play):
    assert play() == ['approve', 'commands']


@pytest.mark.parametrize('tag', ['of_the_site', 'msr_safe'])
def test_a_tag_on_the_role_does_all_of_it(play, tag):
    assert play('--tags', tag) == ['approve', 'commands']


def test_the_list_alone(play):
    assert play('--tags', 'msr_safe_approve') == ['approve']


def test_what_is_to_be_built_alone(play):
    assert play('--tags', 'msr_safe_build') == []


def test_a_tag_of_others_does_not_even_look_at_the_node(play):
    assert play('--tags', 'other') is None


def test_a_tag_of_the_site_beside_the_list_does_all(play):
    assert play('--tags', 'msr_safe_approve,of_the_site') == ['approve', 'commands']
