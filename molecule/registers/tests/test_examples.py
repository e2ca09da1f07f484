# SPDX-License-Identifier: GPL-3.0-or-later
"""Each example of the documentation, run as written, on simulated registers."""

import json
import subprocess

import pytest
import yaml

testinfra_hosts = ['ssh://skylake']

MODULES = ('msr_safe_info', 'msr_info', 'msr', 'msr_save', 'msr_restore')


@pytest.fixture(scope='module')
def directory(tmp_path_factory):
    """Where the playbooks of all examples are: what one saves on the controller, another finds."""
    return tmp_path_factory.mktemp('examples')


def examples_of(*modules):
    """Return the plays of the modules' examples, as text."""
    names = [f'hpc.msr_safe.{module}' for module in modules]
    said = subprocess.run(['ansible-doc', '--json', *names], stdout=subprocess.PIPE, check=True).stdout
    documentation = json.loads(said)
    heading = '- hosts: all\n  become: true\n  gather_facts: false\n  tasks:\n'
    plays = ''
    for name in names:
        tasks = documentation[name]['examples']
        assert len(yaml.safe_load(tasks)) >= 2
        plays += heading + ''.join(f'    {line}\n' if line else '\n' for line in tasks.splitlines())
    return plays


def run_examples(play, path, plays, *arguments):
    path.write_text(f'---\n{plays}')
    done = play(path, *arguments)
    assert done.succeeded, done.output
    assert '[WARNING]' not in done.output
    return done


def test_all_examples_in_a_row(simulated_node, play, directory):
    run_examples(play, directory / 'all.yml', examples_of(*MODULES), '--diff')


@pytest.mark.slow
@pytest.mark.parametrize('name', MODULES)
def test_examples_are_predicted_and_change_nothing_when_repeated(simulated_node, play, directory, name):
    for arguments in (['--check', '--diff'], ['--diff'], ['--check', '--diff']):
        done = run_examples(play, directory / f'{name}.yml', examples_of(name), *arguments)
    # The counters among the registers that are saved run on
    assert name == 'msr_save' or 'changed=0' in done.output
