# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Which statements of a policy are for a host."""

import pytest

pytest.importorskip('ansible.template')

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.hpc.msr_safe.plugins.filter.drift import drift
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.failure import ActionFailure
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.policy import statements_for, wanted_policy
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.audit.paper import (
    POWER_LIMIT,
    WATTS_165,
    fleet,
    observed,
)

try:
    from ansible.template import trust_as_template as trusted
except ImportError:  # ansible-core before 2.19

    def trusted(text):
        return text


class Action:
    """What of an action plugin conditions need."""

    def __init__(self, variables):
        self._loader = DataLoader()
        self._templar = Templar(loader=self._loader, variables=variables)


VARIABLES = {'partition': 'tuning', 'rack': 7, 'group_names': ['compute']}
TURBO = {'control': 'turbo', 'value': False}


def chosen(*conditions):
    """Return the places of those statements, each with a condition, that are for a host."""
    policy = [dict(TURBO, cpus=str(place), when=condition) for place, condition in enumerate(conditions)]
    return [int(each['cpus']) for each in statements_for(Action(VARIABLES), policy, VARIABLES)]


def test_conditions_are_those_of_ansible():
    assert chosen(
        trusted("partition == 'tuning'"),
        trusted("partition == 'batch'"),
        [trusted('rack > 3'), trusted("'compute' in group_names")],
        [trusted('rack > 3'), trusted('rack > 30')],
        True,
        False,
        None,
    ) == [0, 2, 4, 6]


def test_a_dictionary_names_variables_and_their_values():
    assert chosen(
        {'partition': 'tuning'},
        {'partition': 'batch'},
        {'partition': ['batch', 'tuning'], 'rack': '7'},
        {'partition': 'tuning', 'rack': 8},
        {'unknown': 'x'},
    ) == [0, 2]


def test_a_variable_that_cannot_be_resolved_is_an_error_that_names_the_statement():
    variables = {'partition': trusted('{{ nowhere }}')}
    with pytest.raises(ActionFailure, match=r'policy, statement 1: when: .*nowhere'):
        statements_for(Action(variables), [dict(TURBO, when={'partition': 'batch'})], variables)


def test_a_condition_that_cannot_be_evaluated_is_an_error_that_names_the_statement():
    with pytest.raises(ActionFailure) as caught:
        chosen(None, trusted('nobody_set_this == 3'))
    assert 'statement 2' in str(caught.value)


@pytest.mark.parametrize(
    'policy, words',
    [
        ('turbo off', 'list of statements'),
        ([{'control': 'turbo', 'value': 'off'}, {'register': 'NO_SUCH_THING', 'value': 1}], 'statement 2: no CPU has'),
        # Also where the condition keeps it from this host
        ([{'control': 'turbp', 'value': 'off', 'when': False}], 'there is no control turbp'),
    ],
)
def test_what_is_wrong_is_an_error_on_the_controller(policy, words):
    with pytest.raises(ActionFailure) as caught:
        statements_for(Action(VARIABLES), policy, VARIABLES)
    assert words in str(caught.value)


def test_a_policy_travels_with_the_definitions_that_it_needs():
    policy = wanted_policy(Action(VARIABLES), [{'control': 'package_power_limit', 'value': '80 %'}], VARIABLES)
    names = {register[1] for each in policy['definitions'] for register in each['registers']}
    assert names >= {'MSR_PKG_POWER_LIMIT', 'MSR_PKG_POWER_INFO', 'MSR_RAPL_POWER_UNIT'} and len(names) < 10
    assert wanted_policy(Action(VARIABLES), [dict(TURBO, when=False)], VARIABLES) is None


def test_the_filter_drift_says_what_the_audit_says():
    nodes = fleet({'odd': observed({POWER_LIMIT: {WATTS_165: '0-3'}})})
    results = {name: {'observation': observation, 'equal': {}} for name, observation in nodes.items()}
    (finding,) = drift(dict(results, gone={'unreachable': True, 'msg': 'no route'}))[1:]
    assert (finding['nodes'], finding['text']) == ('odd', 'MSR_PKG_POWER_LIMIT: PL1_POWER_LIMIT 205 W -> 165 W')
    assert drift({name: results[name] for name in ('n1', 'n2', 'n3')}) == []


def test_the_filter_drift_refuses_what_is_no_observation():
    from ansible.errors import AnsibleFilterError

    for wrong in ([], {'n1': 'text'}):
        with pytest.raises(AnsibleFilterError):
            drift(wrong)


def test_to_the_filter_drift_a_malformed_answer_is_a_finding():
    (finding,) = drift({'n1': {'observation': {}, 'equal': {}}})
    assert finding['nodes'] == 'n1' and finding['text'].startswith('could not be observed: ')
