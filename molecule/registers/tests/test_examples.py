# SPDX-License-Identifier: GPL-3.0-or-later
"""Each example of the documentation, run as written, in check mode and for real, on simulated registers."""

import json
import subprocess

import pytest
import yaml

testinfra_hosts = ['ssh://skylake']

MODULES = [
    *(pytest.param(name, marks=pytest.mark.slow) for name in ('msr_safe_info', 'msr_info', 'msr')),
    *('msr_save', 'msr_restore'),
]


@pytest.fixture(scope='module')
def directory(tmp_path_factory):
    """Where the playbooks of all examples are: what one saves on the controller, another finds."""
    return tmp_path_factory.mktemp('examples')


def examples_of(name):
    command = ['ansible-doc', '--json', f'hpc.msr_safe.{name}']
    documentation = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return documentation[f'hpc.msr_safe.{name}']['examples']


@pytest.mark.parametrize('name', MODULES)
def test_examples_of(simulated_node, play, directory, name):
    tasks = examples_of(name)
    assert len(yaml.safe_load(tasks)) >= 2
    playbook = directory / f'{name}.yml'
    heading = '---\n- hosts: all\n  become: true\n  gather_facts: false\n  tasks:\n'
    playbook.write_text(heading + ''.join(f'    {line}\n' if line else '\n' for line in tasks.splitlines()))
    for arguments in (['--check', '--diff'], ['--diff'], ['--check', '--diff']):
        done = play(playbook, *arguments)
        assert done.succeeded, done.output
        assert '[WARNING]' not in done.output
    # The counters among the registers that are saved run on
    assert name == 'msr_save' or 'changed=0' in done.output
