# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A variable that is mistyped is said, and what is a site's own is left alone."""

from __future__ import annotations

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.variables import KNOWN, require_chosen, unknown_variables


def test_what_the_roles_and_playbooks_use_is_known():
    assert {
        'msr_safe_group',
        'slurm_msr_profiles',
        'msr_audit_keep',
        'msr_safe_serial',
        'msr_safe_plan',
        'msr_safe_info',
    } <= KNOWN
    assert unknown_variables([*KNOWN, 'ansible_host', 'site_msr_safe_group', 'msr_policy']) == []


@pytest.mark.parametrize(
    ('name', 'meant'),
    [
        ('msr_safe_aproved_list_tier', 'msr_safe_approved_list_tier'),
        ('msr_safe_groups', 'msr_safe_group'),
        ('slurm_msr_default_profil', 'slurm_msr_default_profile'),
        ('msr_safe_profiles', 'slurm_msr_profiles'),
        ('msr_safe_builders', 'msr_safe_builder'),
        ('slurm_msr_stat', 'slurm_msr_state'),
        ('msr_safe_stat', 'msr_safe_state'),
        ('msr_audit_fail-on', 'msr_audit_fail_on'),
    ],
)
def test_a_mistyped_one_is_refused_with_what_was_meant(name, meant):
    with pytest.raises(MsrSafeError) as caught:
        unknown_variables(['msr_safe_group', name])
    assert 'There is no variable %s. Did you mean %s?' % (name, meant) in str(caught.value)


def test_of_two_both_are_said():
    with pytest.raises(MsrSafeError) as caught:
        unknown_variables(['msr_safe_groups', 'msr_safe_builders'])
    assert str(caught.value).count('Did you mean') == 2


def test_what_is_like_none_is_a_warning():
    (warning,) = unknown_variables(['msr_safe_tier', 'msr_safe_colour'])
    assert 'msr_safe_colour, msr_safe_tier' in warning


GROUPS = {'all': ['n1', 'n2', 'login1', 'fe80::1'], 'compute': ['n1', 'n2'], 'ungrouped': ['login1', 'fe80::1']}


def as_it_is(value):
    return value


N1 = {'groups': GROUPS, 'inventory_hostname': 'n1', 'group_names': ['compute']}
LOGIN1 = {'groups': GROUPS, 'inventory_hostname': 'login1', 'group_names': ['ungrouped']}


@pytest.mark.parametrize('pattern', ['compute', 'n1', 'n1,n2', 'n1:n2', ['n1', 'n2'], 'n?', 'comp*, n1'])
def test_a_host_that_a_variable_of_the_inventory_means_to_leave_out_is_refused(pattern):
    require_chosen('msr_safe_hosts', as_it_is, dict(N1, msr_safe_hosts=pattern))
    with pytest.raises(MsrSafeError, match=r'msr_safe_hosts is .*, and this host is none of these') as caught:
        require_chosen('msr_safe_hosts', as_it_is, dict(LOGIN1, msr_safe_hosts=pattern))
    assert '-e msr_safe_hosts=' in str(caught.value)


@pytest.mark.parametrize('pattern', [None, '', 'all', 'all:!compute', '~n.*', 'n[1:2]', 'fe80::1,n1', 'nobody,n1'])
def test_a_pattern_that_is_more_than_names_is_left_to_ansible(pattern):
    require_chosen('msr_safe_hosts', as_it_is, dict(LOGIN1, msr_safe_hosts=pattern))
