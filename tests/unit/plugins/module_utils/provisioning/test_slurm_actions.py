# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The units of the role slurm come and go, on a node that runs and in one that does not."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import slurm_actions
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.change import build_change, carry_out_change

UNIT = '/etc/systemd/system/msr-safe-standby.service'
LINK = '/etc/systemd/system/multi-user.target.wants/msr-safe-standby.service'


@pytest.fixture
def carry_out(node):
    def carry_out(action, now, systemd):
        change = build_change('boot', action, 'a unit', None, None, path=UNIT, now=now, systemd=systemd)
        carry_out_change(node.machine, change)
        return node.ran()

    return carry_out


def test_one_that_systemd_has_given_up_starts_again(node, carry_out):
    node.answers['systemctl reset-failed'] = (1, 'Unit msr-safe-standby.service not loaded.\n')
    assert carry_out(slurm_actions.enable_service_of_jobs, 'restart', True) == [
        'systemctl daemon-reload',
        'systemctl reset-failed msr-safe-standby.service',
        'systemctl restart msr-safe-standby.service',
    ]
    assert node.has(LINK)


def test_one_that_goes_is_stopped_first(node, carry_out):
    node.link(LINK, UNIT)
    assert carry_out(slurm_actions.disable_service_of_jobs, 'stop', True) == [
        'systemctl stop msr-safe-standby.service',
        'systemctl daemon-reload',
    ]
    assert not node.has(LINK)


def test_one_that_others_need_is_not_stopped(node, carry_out):
    node.link(LINK, UNIT)
    assert carry_out(slurm_actions.disable_service_of_jobs, '', True) == ['systemctl daemon-reload']


def test_where_no_systemd_runs_it_is_for_the_next_boot(node, carry_out):
    assert carry_out(slurm_actions.enable_service_of_jobs, 'start', False) == []
    assert node.has(LINK)
    assert carry_out(slurm_actions.disable_service_of_jobs, 'stop', False) == []
    assert not node.has(LINK)
