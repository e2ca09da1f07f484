# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Settings without access: root sets what a job asks for, within the site's bounds, and takes it back."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs import controls
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.record import read_record
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    LIST,
    MILAN,
    MISC_ENABLE,
    PREFETCHERS,
    TURBO_OFF,
)
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import parse as parse_list
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_slurm import FakeSlurm

POWER_LIMIT, UNITS, UNCORE = 0x610, 0x606, 0x620
WATTS_200, ENABLED = 200 * 8, 1 << 15
SETTINGS = """
[job]
exclusive = main
{job}
[profile monitor]
set = power_limit:100W-250W, turbo, prefetchers
[profile tuned]
users = alice
set = UNCORE_RATIO_LIMIT.MAX_RATIO:1GHz-2.4GHz
[profile power]
"""


@pytest.fixture(params=[True, False], ids=['', 'the list holds root, too'])
def slurm(node, request):
    """A node whose power is counted in eighths of a watt, with a limit of 200 W."""
    node.knows_operators = request.param
    fake = FakeSlurm(node)
    fake.node.put('/etc/msr-safe/profiles/tuned', '0xCE 0x0\n')
    fake.configure = lambda **lines: node.put(
        '/etc/msr-safe/jobs.conf', SETTINGS.format(job='\n'.join('%s = %s' % line for line in lines.items()))
    )
    fake.configure()
    node.set_register(UNITS, 0xA0E03)
    node.set_register(POWER_LIMIT, ENABLED | WATTS_200)
    node.set_register(UNCORE, 24)
    return fake


def test_a_power_limit_during_the_job_and_gone_after_it(node, slurm, capsys):
    assert slurm.job('prolog', 42, '--profile=monitor', '--set=power_limit=180W,turbo=off') == 0
    assert node.register(POWER_LIMIT) == ENABLED | 180 * 8
    assert node.register(MISC_ENABLE) == TURBO_OFF
    assert 'set for job 42: 0x00000610 MSR_PKG_POWER_LIMIT' in capsys.readouterr().out
    assert not any(node.active().values())
    assert slurm.job('epilog', 42) == 0
    assert node.register(POWER_LIMIT) == ENABLED | WATTS_200
    assert node.register(MISC_ENABLE) == 0
    assert node.active() == parse_list(LIST)


def test_no_list_is_opened_to_set_it(node, slurm):
    slurm.job('prolog', 42, '--profile=monitor', '--set=power_limit=180W')
    slurm.job('epilog', 42)
    opened = [text for text in node.list_device.published if any(parse_list(text).values())]
    assert opened[-1:] == node.list_device.published[-1:], 'the own list comes last'
    assert (len(opened) == 1) is node.knows_operators


def test_it_is_taken_back_where_the_settings_broke_meanwhile(node, slurm):
    slurm.job('prolog', 42, '--profile=monitor', '--set=power_limit=180W')
    node.put('/etc/msr-safe/jobs.conf', 'nonsense')
    node.put('/etc/msr-safe/profiles/power', '0xCE 0x0\n')
    assert slurm.job('epilog', 42) == 0
    assert node.register(POWER_LIMIT) == ENABLED | WATTS_200


def test_the_user_has_no_more_access_than_without(node, slurm):
    slurm.job('prolog', 42, '--profile=monitor', '--set=power_limit=180W')
    assert node.active() == {0xCE: 0}


def test_it_comes_with_the_default_profile_too(node, slurm):
    slurm.configure(default_profile='monitor')
    slurm.job('prolog', 42, '--set=prefetchers=off')
    assert node.register(PREFETCHERS) == 0xF


def test_a_field_of_the_register_table(node, slurm):
    slurm.job('prolog', 42, '--profile=tuned', '--set=UNCORE_RATIO_LIMIT.MAX_RATIO=1.8GHz')
    assert node.register(UNCORE) == 18
    slurm.job('epilog', 42)
    assert node.register(UNCORE) == 24


@pytest.mark.parametrize(
    ('profile', 'values', 'words'),
    [
        (
            'monitor',
            'power_limit=300W',
            'power_limit=300W is not within the bounds of this site. They are 100 to 250 watts',
        ),
        ('monitor', 'power_limit=99.9W', 'not within the bounds'),
        ('monitor', 'power_limit=180', 'not within the bounds'),
        ('monitor', 'power_limit=2GHz', 'not within the bounds'),
        ('monitor', 'power_limit=180X', "'180X' is no amount"),
        ('monitor', 'power_limit=nan', "'nan' is no amount"),
        ('monitor', 'turbo=maybe', "turbo is 'maybe'"),
        ('monitor', 'turbo=off,turbo=on', "'turbo=on' means nothing"),
        ('monitor', 'turbo', "'turbo' means nothing"),
        (
            'monitor',
            'uncore_frequency=2GHz',
            'this job may not set uncore_frequency. It may set: power_limit, prefetchers',
        ),
        ('monitor', 'EFER.SYSCALL_ENABLE=1', 'this job may not set EFER.SYSCALL_ENABLE'),
        ('power', 'turbo=off', 'It may set: nothing'),
        ('', 'turbo=off', 'It may set: nothing'),
    ],
)
def test_what_may_not_be_set_is_refused_with_words_and_nothing_is_set(node, slurm, profile, values, words):
    assert slurm.job('prolog', 42, '--profile=' + profile, '--set=' + values) == 0
    assert words in slurm.refusal(42)
    assert node.register(POWER_LIMIT) == ENABLED | WATTS_200
    assert not slurm.saw('drain')
    assert not any(node.active().values())


def test_it_needs_a_node_of_its_own(node, slurm):
    slurm.job('prolog', 42, '--profile=monitor', '--set=turbo=off', partition='shared')
    assert 'need a node of their own' in slurm.refusal(42)
    slurm.job('epilog', 42)
    slurm.alone.add('43')
    slurm.job('prolog', 43, '--profile=monitor', '--set=turbo=off', partition='shared')
    assert slurm.refusal(43) is None


@pytest.mark.parametrize('shared', ['refuse', 'last'])
def test_nothing_is_set_under_a_neighbour(node, slurm, shared):
    slurm.configure(shared=shared)
    slurm.job('prolog', 42, '--profile=monitor')
    slurm.step(42)
    slurm.job('prolog', 43, '--profile=monitor', '--set=turbo=off')
    assert 'job 42 is on this node' in slurm.refusal(43)
    assert node.register(MISC_ENABLE) == 0


def test_beside_a_job_for_which_something_is_set_nobody_starts(node, slurm):
    slurm.job('prolog', 42, '--profile=monitor', '--set=turbo=off')
    assert read_record(node.machine, '42').writes
    slurm.job('prolog', 43, '--profile=monitor')
    assert 'job 42 on this node may write registers' in slurm.refusal(43)
    assert node.register(MISC_ENABLE) == TURBO_OFF


def test_a_register_that_takes_no_value_is_no_fault_of_the_node(node, slurm):
    """Firmware locked it: a user who asks for it on node after node would drain them all."""
    node.stuck.add(POWER_LIMIT)
    assert slurm.job('prolog', 42, '--profile=monitor', '--set=turbo=off,power_limit=180W') == 0
    assert 'could not be set: 0x00000610 MSR_PKG_POWER_LIMIT' in slurm.refusal(42)
    assert node.register(MISC_ENABLE) == 0
    assert not slurm.saw('drain')


def test_a_cpu_that_has_no_such_thing(node, slurm):
    node.describe_cpu(*MILAN)
    slurm.job('prolog', 42, '--profile=monitor', '--set=power_limit=180W')
    assert "this node's CPU has no power_limit to set" in slurm.refusal(42)


def test_turbo_means_the_same_on_another_cpu(node, slurm):
    node.describe_cpu(*MILAN)
    slurm.job('prolog', 42, '--profile=monitor', '--set=turbo=off')
    assert slurm.refusal(42) is None
    assert node.register(0xC0010015) == 1 << 25
    slurm.job('epilog', 42)
    assert node.register(0xC0010015) == 0


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('power', "there is no control 'power'"),
        ('turbo:0-1', 'turbo is a switch'),
        ('power_limit', 'power_limit has no bounds'),
        ('power_limit:200W-100W', 'are no bounds of power_limit'),
        ('power_limit:1GHz-2GHz', 'are no bounds of power_limit'),
        ('power_limit:100W-200', 'are no bounds of power_limit'),
        ('../x.y:1-2', 'there is no control'),
    ],
)
def test_bounds_that_mean_nothing(text, words):
    with pytest.raises(MsrSafeError) as caught:
        controls.parse_bounds([text], 'set')
    assert words in str(caught.value)


@pytest.mark.parametrize('name', sorted(controls.CONTROLS))
def test_every_control_is_there_on_some_cpu(name):
    cpus = [{'family': 6, 'model': 85}, {'family': 6, 'model': 143}, {'family': 25, 'model': 1}]
    assert any(controls.fields_of(name, registers_of(cpu)) for cpu in cpus)
