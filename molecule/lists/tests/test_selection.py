# SPDX-License-Identifier: GPL-3.0-or-later
"""Which list the role chooses on a node, by what the node's kernel says of its CPU."""

import json
import os
import re
import subprocess

import pytest

LISTS = {
    'skylake': 'al_0655',
    'sapphire': 'al_068f',
    'granite': 'al_06ad',
    'icelake': 'al_066a',
    'sierra': 'al_06af',
    'trento': 'al_1930',
    'genoa': 'al_1911',
    'turin': 'al_1a2',
}

testinfra_hosts = ['ssh://skylake']


@pytest.fixture(scope='module')
def plans(inventory):
    """What the role would do on each node: {node: result of msr_safe_plan}."""
    process = subprocess.run(
        ['ansible', 'all', '-i', inventory, '-m', 'hpc.msr_safe.msr_safe_plan'],
        env=dict(os.environ, ANSIBLE_NOCOLOR='1', ANSIBLE_FORCE_COLOR='0', ANSIBLE_CALLBACK_RESULT_FORMAT='json'),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    starts = re.finditer(r'^(\w+) \| SUCCESS => ', process.stdout, re.MULTILINE)
    return {start.group(1): json.JSONDecoder().raw_decode(process.stdout, start.end())[0] for start in starts}


@pytest.mark.parametrize('name', LISTS)
def test_the_list_of_the_cpu_is_chosen(plans, name):
    assert plans[name]['approved_list']['source'] == LISTS[name]
    assert plans[name]['approved_list']['registers'] > 40
