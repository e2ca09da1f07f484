# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Where a node has a policy, jobs and boots leave what it says; what it does not speak of comes from the baseline."""

import json

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.image import read_image
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.settings import read_settings
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import POLICY
from ansible_collections.hpc.msr_safe.plugins.module_utils.policy.policy_file import policy_text
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    LIST,
    MISC_ENABLE,
    PREFETCHERS,
    TURBO_OFF,
)
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_slurm import FakeSlurm

POWER_LIMIT, POWER_INFO, UNITS, BIAS, HWP_REQUEST, HWP_ENABLE = 0x610, 0x614, 0x606, 0x1B0, 0x774, 0x770
BASELINE = '/var/lib/msr-safe/baseline'
TURBO = {'control': 'turbo', 'value': 'off'}
LIMIT = {'control': 'package_power_limit', 'value': '165 W'}
POWER_LIST = '0x000001A0 0x0000004000000000 # IA32_MISC_ENABLE\n0x00000610 0x0000000000FFFFFF # MSR_PKG_POWER_LIMIT\n'
OLD_LIMIT, NEW_LIMIT = 0x158668, 0x158528  # 205 W and 165 W, enabled


@pytest.fixture
def slurm(node):
    """A node whose baseline was taken before there was a policy: turbo is on, and the power limit the firmware's."""
    fake = FakeSlurm(node)
    node.put('/etc/msr-safe/profiles/power', POWER_LIST)
    node.set_register(UNITS, 0xA0E03)
    node.set_register(POWER_INFO, 0x0A8002F80668)
    node.set_register(POWER_LIMIT, OLD_LIMIT)
    assert fake.command('baseline') == 0
    return fake


def set_policy(node, *statements):
    node.put(POLICY, policy_text(list(statements)))


def as_at_boot(node, *statements):
    """The service has applied the policy, then the registers are brought to the baseline."""
    set_policy(node, *statements)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.set_register(POWER_LIMIT, NEW_LIMIT)


def test_a_boot_does_not_bring_back_what_was_before_the_policy(node, slurm):
    as_at_boot(node, TURBO, LIMIT)
    assert slurm.command('reset', '--boot') == 0
    assert node.register(MISC_ENABLE) == TURBO_OFF
    assert node.register(POWER_LIMIT, 3) == NEW_LIMIT


def test_a_boot_whose_service_did_not_apply_it_does(node, slurm):
    set_policy(node, TURBO)
    assert slurm.command('reset', '--boot') == 0
    assert all(node.register(MISC_ENABLE, cpu) == TURBO_OFF for cpu in range(4))


def test_what_it_does_not_speak_of_comes_from_the_baseline(node, slurm):
    as_at_boot(node, TURBO)
    node.set_register(PREFETCHERS, 0xF)
    node.set_register(POWER_LIMIT, 0x100)
    assert slurm.command('reset', '--boot') == 0
    assert (node.register(PREFETCHERS), node.register(POWER_LIMIT)) == (0, OLD_LIMIT)


def test_a_job_ends_at_the_policy(node, slurm):
    as_at_boot(node, TURBO)
    slurm.job('prolog', 42, '--profile=power')
    assert node.register(MISC_ENABLE) == TURBO_OFF
    node.set_register(MISC_ENABLE, 0)
    node.set_register(POWER_LIMIT, 0x100)
    assert slurm.job('epilog', 42) == 0
    assert node.register(MISC_ENABLE, 2) == TURBO_OFF
    assert node.register(POWER_LIMIT) == OLD_LIMIT


def test_what_is_said_of_one_cpu_is_for_that_one(node, slurm):
    set_policy(node, dict(TURBO, cpus='1'))
    slurm.job('prolog', 42)
    assert [node.register(MISC_ENABLE, cpu) for cpu in range(4)] == [0, TURBO_OFF, 0, 0]


def test_a_policy_that_changes_between_jobs_is_seen_by_the_next(node, slurm):
    slurm.job('prolog', 42)
    slurm.job('epilog', 42)
    as_at_boot(node, TURBO, LIMIT)
    slurm.job('prolog', 43, '--profile=power')
    assert (node.register(MISC_ENABLE), node.register(POWER_LIMIT)) == (TURBO_OFF, NEW_LIMIT)


def test_one_that_is_taken_out_leaves_the_baseline_as_it_was(node, slurm):
    as_at_boot(node, TURBO)
    slurm.job('prolog', 42)
    slurm.job('epilog', 42)
    held = json.loads(node.get(BASELINE))['registers']['0x000001A0']['values']
    assert held == {'0x0000000000000000': '0-3'}
    node.remove(POLICY)
    slurm.job('prolog', 43)
    assert node.register(MISC_ENABLE) == 0


def test_the_next_job_looks_at_one_batch_and_works_out_no_policy(node, slurm):
    as_at_boot(node, TURBO)
    slurm.job('prolog', 42)
    slurm.job('epilog', 42)
    assert read_image(node.machine, read_settings(node.machine)) is not None
    node.batches.clear()
    slurm.job('prolog', 43)
    assert len(node.batches) == 1


def test_a_report_says_what_differs_from_the_policy(node, slurm, capsys):
    as_at_boot(node, TURBO)
    slurm.job('prolog', 42)
    capsys.readouterr()
    assert slurm.command('report', '--job=42') == 0
    assert capsys.readouterr().out == 'no register is changed\n'
    node.set_register(MISC_ENABLE, 0)
    slurm.command('report', '--job=42')
    assert 'MISC_ENABLE' in capsys.readouterr().out


@pytest.mark.parametrize('text', ['nonsense', policy_text([dict(LIMIT, value='900 W'), TURBO])])
def test_one_that_cannot_be_had_stops_no_job_and_is_said_each_time(node, slurm, capsys, text):
    node.put(POLICY, text)
    for number in (42, 43):
        capsys.readouterr()
        assert slurm.job('prolog', number, '--profile=power') == 0
        assert 'left to the baseline: ' in capsys.readouterr().out
        node.set_register(POWER_LIMIT, 0x100)
        assert slurm.job('epilog', number) == 0
        assert node.register(POWER_LIMIT) == OLD_LIMIT
        assert slurm.asked == []


def test_the_health_check_compares_with_it(node, slurm, capsys):
    node.put('/etc/msr-safe/approved_list', LIST)
    as_at_boot(node, TURBO)
    slurm.command('reset')
    capsys.readouterr()
    slurm.command('check', '--all')
    assert 'TURBO' not in capsys.readouterr().out
    node.set_register(MISC_ENABLE, 0, [1])
    assert slurm.command('check') == 1
    assert 'on CPU 1' in capsys.readouterr().out


def test_a_register_of_the_kernel_that_nobody_rewrites_is_kept_at_it(node, slurm):
    """The energy bias without HWP is adopted from job to job, but for what the policy says."""
    node.put('/etc/msr-safe/profiles/power', '0x000001B0 0xF # IA32_ENERGY_PERF_BIAS\n')
    slurm.command('baseline')
    set_policy(node, {'control': 'energy_preference', 'value': 'performance'})
    node.set_register(BIAS, 15)
    slurm.job('prolog', 42, '--profile=power')
    assert node.register(BIAS) == 0
    node.set_register(BIAS, 6)
    assert slurm.job('epilog', 42) == 0
    assert node.register(BIAS) == 0


def test_a_register_that_a_driver_would_rewrite_is_kept_at_it_where_there_is_none(node, slurm):
    node.put('/etc/msr-safe/profiles/power', '0x00000774 0xFFFFFFFF # IA32_HWP_REQUEST (governed)\n')
    node.set_register(HWP_ENABLE, 1)
    node.set_register(HWP_REQUEST, 0x80001008)
    slurm.command('baseline')
    set_policy(node, {'control': 'energy_preference', 'value': 'performance'})
    slurm.job('prolog', 42, '--profile=power')
    assert node.register(HWP_REQUEST) == 0x00001008
    node.set_register(HWP_REQUEST, 0xFF001808)
    assert slurm.job('epilog', 42) == 0
    assert node.register(HWP_REQUEST) >> 24 == 0
