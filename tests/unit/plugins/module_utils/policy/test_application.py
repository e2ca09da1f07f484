# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A policy on a node: planned, written, read back, and the list of users as it was."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.cpu import list_name, read_cpu
from ansible_collections.hpc.msr_safe.plugins.module_utils.policy.application import (
    apply_policy,
    observe_policy,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.policy.statement import parse_policy
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of
from ansible_collections.hpc.msr_safe.plugins.module_utils.settings.definitions import pack
from ansible_collections.hpc.msr_safe.plugins.module_utils.settings.setting import render_changes, summarize_changes
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import MISC_ENABLE, TURBO_OFF

POWER_LIMIT, POWER_INFO, UNITS, POWER_CONTROL = 0x610, 0x614, 0x606, 0x1FC
TURBO = [{'control': 'turbo', 'value': 'off'}]
C1E = [{'control': 'c1e', 'value': 'off'}]
LIMIT = [{'control': 'package_power_limit', 'value': '165 W'}]


@pytest.fixture
def server(node):
    node.set_register(UNITS, 0xA0E03)
    node.set_register(POWER_INFO, 0x0A8002F80668)
    node.set_register(POWER_LIMIT, 0x158668)
    node.set_register(POWER_CONTROL, 2)
    return node


def apply(node, policy, check=False):
    return apply_policy(node.machine, parse_policy(policy), registers_of(read_cpu(node.machine)), check)


def test_a_node_is_made_to_hold_it_and_a_second_time_changes_nothing(server):
    plan, notes = apply(server, TURBO)
    assert [write.cpu for write in plan.writes] == [0, 1, 2, 3] and notes == plan.problems == []
    assert all(server.register(MISC_ENABLE, cpu) == TURBO_OFF for cpu in range(4))
    assert apply(server, TURBO)[0].writes == []


def test_only_what_differs_is_written(server):
    server.set_register(MISC_ENABLE, TURBO_OFF, [0, 2])
    assert [write.cpu for write in apply(server, TURBO)[0].writes] == [1, 3]


def test_checking_says_field_and_unit_and_writes_nothing(server):
    plan, _notes = apply(server, LIMIT, check=True)
    assert server.register(POWER_LIMIT) == 0x158668
    assert 'PL1_POWER_LIMIT 165 watts' in render_changes(summarize_changes(plan), 'after')
    assert not any(what == 'write' for batch in server.batches for _cpu, what, _address in batch)


def test_what_lockdown_forbids_is_foreseen(server):
    server.put('/sys/kernel/security/lockdown', 'none [integrity] confidentiality\n')
    server.put('/sys/module/msr_safe/parameters/honor_lockdown', 'Y\n')
    plan, _notes = apply(server, TURBO, check=True)
    assert plan.writes == [] and {problem.error for problem in plan.problems} == {'kernel lockdown forbids it'}
    cpu = read_cpu(server.machine)
    definitions = [pack([list_name(cpu)], registers_of(cpu).by_address.values())]
    observed = observe_policy(server.machine, {'statements': TURBO, 'definitions': definitions})
    assert 'kernel lockdown forbids it' in observed['problem']


def test_what_users_may_not_write_is_written_and_the_list_is_as_before(server):
    before = server.active()
    assert POWER_LIMIT not in before
    plan, _notes = apply(server, LIMIT)
    assert len(plan.writes) == 4 and plan.problems == []
    assert server.register(POWER_LIMIT, 3) == 0x158528
    assert server.active() == before


def test_bits_that_the_statement_is_not_about_stay(server):
    server.set_register(POWER_LIMIT, 0x0040868000158668)
    apply(server, LIMIT)
    assert server.register(POWER_LIMIT) == 0x0040868000158528


def test_a_statement_that_cannot_be_had_leaves_the_others_undone_and_the_list_as_before(server):
    before = server.active()
    with pytest.raises(MsrSafeError) as caught:
        apply(server, [*TURBO, {'control': 'package_power_limit', 'value': '400 W'}])
    assert 'at most 336' in str(caught.value) and 'Nothing was changed' in str(caught.value)
    assert server.register(MISC_ENABLE) == 0
    assert server.active() == before


def test_a_register_that_takes_no_value_is_a_problem(server):
    server.stuck.add(POWER_CONTROL)
    plan, _notes = apply(server, C1E)
    assert plan.writes == []
    assert 'did not take the value' in plan.problems[0].error


def test_no_list_is_ever_put_in_force_for_it(server):
    """Not for the reading, the writing or the reading back: nobody gains anything, whatever ends this."""
    apply(server, [*LIMIT, *C1E, *TURBO], check=True)
    apply(server, [*LIMIT, *C1E, *TURBO])
    policy = {'statements': LIMIT, 'definitions': []}
    observe_policy(server.machine, policy)
    assert server.list_device.published == []


def test_what_users_may_write_of_the_register_does_not_matter(server):
    server.activate('0x610 0x8000\n')
    apply(server, LIMIT)
    assert server.register(POWER_LIMIT) == 0x158528


def test_a_cpu_that_goes_offline_meanwhile_is_a_problem_and_the_others_are_written(server):
    server.before_batch = [lambda: None, lambda: server.set_online('0-2')]
    plan, _notes = apply(server, C1E)
    assert [write.cpu for write in plan.writes] == [0, 1, 2]
    assert [problem.cpu for problem in plan.problems] == [3]


def test_root_without_the_capability_is_told_which(server):
    server.may_operate = False
    with pytest.raises(MsrSafeError) as caught:
        apply(server, TURBO)
    assert 'CAP_SYS_RAWIO' in str(caught.value)


# Another msr-safe


@pytest.fixture
def of_others(server):
    """A node with another msr-safe, whose list decides about root, too."""
    server.knows_operators = False
    return server


def test_there_what_the_list_lets_be_written_is(of_others):
    assert len(apply(of_others, TURBO)[0].writes) == 4
    assert of_others.register(MISC_ENABLE) == TURBO_OFF


def test_there_a_register_that_the_list_lacks_is_said_and_the_list_stays(of_others):
    with pytest.raises(MsrSafeError) as caught:
        apply(of_others, LIMIT)
    assert 'not on the active approved list' in str(caught.value)
    assert of_others.list_device.published == []


@pytest.mark.parametrize('mask', ['0x0', '0x1'])
def test_there_bits_that_the_list_does_not_let_be_written_are_said(of_others, mask):
    of_others.activate('0x1FC %s\n' % mask)
    plan, _notes = apply(of_others, C1E)
    assert plan.writes == [] and of_others.register(POWER_CONTROL) == 2
    assert 'lets no operator past its approved list' in plan.problems[0].error


def test_a_node_without_msr_safe_is_an_error_with_a_remedy(bare_node):
    with pytest.raises(MsrSafeError) as caught:
        apply_policy(bare_node.machine, parse_policy(TURBO), registers_of(read_cpu(bare_node.machine)))
    assert 'msr_approved_list is missing' in str(caught.value)
