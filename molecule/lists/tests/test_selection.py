# SPDX-License-Identifier: GPL-3.0-or-later
"""Which list the role chooses on a node, by what the node's kernel says of its CPU."""

import pytest
from steps import does

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
def plans(everywhere):
    """What the role would do on each node: {node: result of msr_safe_plan}."""
    return {node: outcome['plan'] for node, outcome in everywhere(plan=does('msr_safe_plan')).items()}


@pytest.mark.parametrize('name', LISTS)
def test_the_list_of_the_cpu_is_chosen(plans, name):
    assert plans[name]['approved_list']['source'] == LISTS[name]
    assert plans[name]['approved_list']['registers'] > 40
