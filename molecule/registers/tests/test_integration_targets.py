# SPDX-License-Identifier: GPL-3.0-or-later
"""The targets for `ansible-test integration`, which are roles, on the node."""

import os
import pathlib
import subprocess

import pytest

testinfra_hosts = ['ssh://skylake']

TARGETS = pathlib.Path(__file__).parents[3] / 'tests/integration/targets'


@pytest.mark.parametrize('name', sorted(path.name for path in TARGETS.iterdir()))
def test_target(host, inventory, tmp_path, name):
    playbook = tmp_path / 'target.yml'
    playbook.write_text(f'- hosts: skylake\n  become: true\n  gather_facts: false\n  roles: [{name}]\n')
    process = subprocess.run(
        ['ansible-playbook', '-i', inventory, playbook],
        env=dict(os.environ, ANSIBLE_NOCOLOR='1', ANSIBLE_FORCE_COLOR='0', ANSIBLE_ROLES_PATH=str(TARGETS)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout
    assert '[WARNING]' not in process.stdout
