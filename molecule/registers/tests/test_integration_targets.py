# SPDX-License-Identifier: GPL-3.0-or-later
"""The targets for `ansible-test integration`, which are roles, on the node."""

import pathlib

import pytest

testinfra_hosts = ['ssh://skylake']

TARGETS = pathlib.Path(__file__).parents[3] / 'tests/integration/targets'
SHOWN_ELSEWHERE = {'msr', 'msr_save_restore'}  # by test_setting and test_snapshots


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(path.name, marks=pytest.mark.slow if path.name in SHOWN_ELSEWHERE else ())
        for path in sorted(TARGETS.iterdir())
    ],
)
def test_target(play, monkeypatch, tmp_path, name):
    playbook = tmp_path / 'target.yml'
    playbook.write_text(f'- hosts: all\n  become: true\n  gather_facts: false\n  roles: [{name}]\n')
    monkeypatch.setenv('ANSIBLE_ROLES_PATH', str(TARGETS))
    done = play(playbook)
    assert done.succeeded, done.output
    assert '[WARNING]' not in done.output
