# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import functools

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.access import lock
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists import activation as activation_module
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.activation import (
    allowed_at_boot,
    carry_out_activation,
    is_due,
    plan_activation,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.difference import describe_difference
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import LIST

INSTALLED = '/etc/msr-safe/approved_list'
NEW = '# a heading\n\n0x1A4 0xF # MSR_MISC_FEATURE_CONTROL\n0x10 0x0\n'
HEADER = '# Written by Ansible (hpc.msr_safe). Change the variables of the role, not this file.\n'
FOR_THIS_CPU = '# CPU: GenuineIntel family 6 model 85 (Skylake-SP, Cascade Lake-SP, Cooper Lake)\n'
UNSAFE = '0xC0000082 0x0\n'


def test_the_list_in_force_is_not_due(node):
    assert not is_due(plan_activation(node.machine, LIST))


def test_who_holds_the_lock_keeps_the_list(node, monkeypatch):
    monkeypatch.setattr(activation_module, 'locked', functools.partial(lock.locked, patience=0))
    before = node.active()
    with lock.locked(node.machine, 'msrsave'), pytest.raises(MsrSafeError, match='holds the lock'):
        carry_out_activation(node.machine, plan_activation(node.machine, NEW))
    assert node.active() == before


@pytest.mark.parametrize('persist', [True, False])
def test_activating_twice_does_nothing(node, persist):
    activation = plan_activation(node.machine, NEW, persist=persist)
    assert is_due(activation)
    carry_out_activation(node.machine, activation)
    assert node.active() == {0x10: 0, 0x1A4: 0xF}
    assert not is_due(plan_activation(node.machine, NEW, persist=persist))


def test_planning_changes_nothing(node):
    before = node.active(), node.get(INSTALLED)
    plan_activation(node.machine, NEW)
    assert (node.active(), node.get(INSTALLED)) == before


def test_persisting_writes_the_file_with_names(node):
    carry_out_activation(node.machine, plan_activation(node.machine, NEW))
    assert node.get(INSTALLED) == (
        HEADER
        + '# Source: content\n'
        + FOR_THIS_CPU
        + '0x00000010 0x0000000000000000 # IA32_TIME_STAMP_COUNTER (counter)\n'
        '0x000001A4 0x000000000000000F # MSR_MISC_FEATURE_CONTROL\n'
    )


def test_not_persisting_leaves_the_file(node):
    carry_out_activation(node.machine, plan_activation(node.machine, NEW, persist=False))
    assert node.get(INSTALLED) == LIST


def test_a_file_that_differs_is_due_although_the_list_is_in_force(node):
    node.put(INSTALLED, NEW)
    activation = plan_activation(node.machine, LIST)
    assert (activation.activates, activation.file_text) == (
        False,
        HEADER + '# Source: content\n' + FOR_THIS_CPU + LIST,
    )
    assert is_due(activation)
    assert not is_due(plan_activation(node.machine, LIST, persist=False))


def test_a_list_comes_from_a_file_of_the_node(node):
    node.put('/root/list', NEW)
    activation = plan_activation(node.machine, path='/root/list')
    assert activation.activates
    assert '# Source: /root/list\n' in activation.file_text


def test_where_a_list_comes_from_is_no_difference(node):
    node.put('/root/list', LIST)
    node.put(INSTALLED, HEADER + '# Source: al_0655\n' + LIST)
    assert not is_due(plan_activation(node.machine, path='/root/list'))


def test_the_empty_list_clears(node):
    carry_out_activation(node.machine, plan_activation(node.machine, ''))
    assert node.active() == {}
    assert not is_due(plan_activation(node.machine, ''))


def test_the_diff_shows_names_on_both_sides(node):
    activation = plan_activation(node.machine, NEW)
    assert activation.before == LIST
    assert activation.after.endswith('# MSR_MISC_FEATURE_CONTROL\n')


def test_the_differences_are_by_register(node):
    node.put(INSTALLED, '')
    said = [describe_difference(each) for each in plan_activation(node.machine, NEW).differences]
    assert said[0] == {
        'address': '0x00000010',
        'name': 'IA32_TIME_STAMP_COUNTER',
        'before': None,
        'after': '0x0000000000000000',
    }
    assert said[-1]['name'] == 'IA32_PACKAGE_THERM_STATUS'
    assert (said[-1]['before'], said[-1]['after']) == ('0x0000000000000AAA', None)
    assert [each['name'] for each in said if each['address'] == '0x000001A4'] == []
    assert plan_activation(node.machine, LIST).differences == []


def test_a_list_without_names_gets_those_of_the_cpu(node):
    carry_out_activation(node.machine, plan_activation(node.machine, '0x1A0 0x4000000000\n0xC2 0x0 # my counter\n'))
    assert node.get(INSTALLED).endswith(
        '0x000000C2 0x0000000000000000 # IA32_PMC1 (counter)\n0x000001A0 0x0000004000000000 # IA32_MISC_ENABLE\n'
    )


def test_what_was_allowed_is_allowed_at_boot(node):
    assert allowed_at_boot(node.machine) == []
    carry_out_activation(node.machine, plan_activation(node.machine, UNSAFE, allow_unsafe=['0xC0000082', '0x174']))
    assert allowed_at_boot(node.machine) == ['0xC0000082']


def test_an_unsafe_list_is_refused_unless_allowed(node):
    with pytest.raises(MsrSafeError, match='0xC0000082'):
        plan_activation(node.machine, UNSAFE)
    activation = plan_activation(node.machine, UNSAFE, allow_unsafe=['0xC0000082'])
    assert '0xC0000082' in ''.join(activation.warnings)


@pytest.mark.parametrize('address', ['', 'all', '0x1FFFFFFFF'])
def test_what_is_allowed_is_an_address(node, address):
    with pytest.raises(MsrSafeError, match='allow_unsafe'):
        plan_activation(node.machine, NEW, allow_unsafe=[address])


def test_a_malformed_list_names_file_and_line(node):
    node.put('/root/list', '0x10 0x0\n0x10 0x1\n')
    with pytest.raises(MsrSafeError, match='/root/list:2'):
        plan_activation(node.machine, path='/root/list')
    with pytest.raises(MsrSafeError, match='content:1'):
        plan_activation(node.machine, 'x')


def test_a_missing_file_is_named(node):
    with pytest.raises(MsrSafeError, match='There is no approved list at /root/list'):
        plan_activation(node.machine, path='/root/list')


def test_a_damaged_file_of_the_node_is_no_obstacle(node):
    node.put(INSTALLED, 'damaged\n')
    carry_out_activation(node.machine, plan_activation(node.machine, NEW))
    assert node.active() == {0x10: 0, 0x1A4: 0xF}


def test_without_a_module_it_says_what_to_do(bare_node):
    with pytest.raises(MsrSafeError, match='no msr-safe kernel module is loaded'):
        plan_activation(bare_node.machine, NEW)


def test_a_list_that_the_kernel_refuses_is_not_that_of_the_next_boot(node):
    activation = plan_activation(node.machine, NEW)
    node.list_device.refusal = errno.EINVAL
    with pytest.raises(MsrSafeError):
        carry_out_activation(node.machine, activation)
    assert node.get(INSTALLED) == LIST
