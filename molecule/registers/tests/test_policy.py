# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy on simulated registers of a Skylake-SP: limits with units, and what the CPU itself says of them."""

import pytest
from steps import checks, does, predicts, shell

testinfra_hosts = ['ssh://skylake']

# The list in force, and how often it was replaced, as the kernel logged it
LIST = 'sha256sum </dev/cpu/msr_approved_list; dmesg | grep --count "approved list: "'
LIMIT = [{'control': 'package_power_limit', 'value': '140 W'}]


@pytest.fixture
def simulated(simulated_node):
    simulated_node()
    return simulated_node


def test_a_power_limit_is_predicted_set_refused_and_repeated(on_node, simulated):
    before, predicted, done, again, refused, after = on_node(
        shell(LIST),
        checks('msr_policy', policy=LIMIT),
        does('msr_policy', policy=LIMIT),
        does('msr_policy', policy=LIMIT),
        does('msr_policy', policy=[{'control': 'package_power_limit', 'value': '9 kW'}]),
        shell(LIST),
    )
    assert predicted['changed'] and 'PL1_POWER_LIMIT 140 watts' in predicted['diff']['after']
    assert done['changes'] == predicted['changes'] != []
    assert done['changes'][0]['fields']['PL1_POWER_LIMIT'] == {'before': 150.0, 'after': 140.0, 'unit': 'watts'}
    assert not again['changed']
    assert not refused.succeeded and 'MAX_POWER of PKG_POWER_INFO' in refused['msg']
    assert before == after


@pytest.mark.slow
def test_controls_are_set_and_a_locked_one_is_said(on_node, simulated):
    policy = [{'control': 'turbo', 'value': 'off'}, {'control': 'prefetchers', 'value': 'off'}]
    done = on_node(predicts('msr_policy', policy=policy))
    assert [change['name'] for change in done['changes']] == ['IA32_MISC_ENABLE', 'MSR_MISC_FEATURE_CONTROL']
    simulated('0x610 package 0x8000000000158528 writable lock=63')
    refused = on_node(does('msr_policy', policy=LIMIT))
    assert 'is locked until the next reset' in refused['msg']
