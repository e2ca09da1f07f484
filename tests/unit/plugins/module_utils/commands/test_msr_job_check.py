# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The health check: what is not as it should be is said, and what could not be looked at is not taken for good."""

import json

import pytest
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import LIST, MISC_ENABLE, TURBO_OFF
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_slurm import FakeSlurm

STAMP = '/var/lib/msr-safe/spank_plugin'


@pytest.fixture
def slurm(node):
    """A node on which every register that a job can change can also be read between jobs."""
    fake = FakeSlurm(node)
    text = LIST + '0x00000610 0x0 # MSR_PKG_POWER_LIMIT\n'
    node.put('/etc/msr-safe/approved_list', text)
    node.activate(text)
    fake.command('reset')
    return fake


def test_all_is_well(slurm, capsys):
    capsys.readouterr()
    assert slurm.command('check') == 0
    assert capsys.readouterr().out == 'msr-safe: all is as it should be\n'
    assert slurm.asked == []


def test_it_changes_nothing(node, slurm):
    node.set_register(MISC_ENABLE, TURBO_OFF)
    before = node.active()
    slurm.command('check')
    assert (node.register(MISC_ENABLE), node.active()) == (TURBO_OFF, before)


def break_settings(node, slurm):
    node.put('/etc/msr-safe/jobs.conf', 'nonsense')


def break_a_list(node, slurm):
    node.put('/etc/msr-safe/profiles/power', 'nonsense')


def load_another_list(node, slurm):
    node.activate('0x10 0x0\n')


def change_a_register(node, slurm):
    node.set_register(MISC_ENABLE, TURBO_OFF, [1])


def stick_a_register(node, slurm):
    slurm.configure(epilog_failure='tolerate')
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.stuck.add(MISC_ENABLE)
    slurm.job('epilog', 42)


def leave_a_record(node, slurm):
    slurm.job('prolog', 42)
    slurm.jobs.clear()


def damage_the_baseline(node, slurm):
    node.put('/var/lib/msr-safe/baseline', 'nonsense')


def clone_the_image(node, slurm):
    node.put('/proc/sys/kernel/hostname', 'n2\n')


def run_slurmd_without_the_plugin(node, slurm):
    node.put(STAMP, '22.05.8-abc\n')
    node.put('/proc/811/comm', 'slurmd\n')
    node.put('/proc/811/maps', '7f00 r-xp /usr/lib/libc.so\n')


def run_a_second_slurmd_without_the_plugin(node, slurm):
    node.put(STAMP, '22.05.8-abc\n')
    for pid, maps in (('811', 'msr_safe.so'), ('97', 'libc.so')):
        node.put('/proc/%s/comm' % pid, 'slurmd\n')
        node.put('/proc/%s/maps' % pid, '7f00 r-xp /usr/lib/slurm/%s\n' % maps)
        node.put('/proc/%s/cgroup' % pid, '0::/system.slice/slurmd@n%s.service\n' % pid)


def unload_the_module(node, slurm):
    node.remove('/dev/cpu/msr_approved_list')


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (break_settings, 'settings: /etc/msr-safe/jobs.conf:1: nonsense means nothing'),
        (break_a_list, 'lists: /etc/msr-safe/profiles/power:1'),
        (load_another_list, 'list in force: it is not that of the node'),
        (change_a_register, 'registers: not as in the baseline: 0x000001A0 IA32_MISC_ENABLE'),
        (stick_a_register, 'stuck: 0x000001A0 IA32_MISC_ENABLE on CPU 0-3'),
        (leave_a_record, 'records: job 42 is over, and its epilog has not ended'),
        (damage_the_baseline, 'registers: /var/lib/msr-safe/baseline is damaged'),
        (clone_the_image, 'registers: the baseline is of host n1'),
        (run_slurmd_without_the_plugin, 'plugin: slurmd runs without it'),
        (
            run_a_second_slurmd_without_the_plugin,
            'plugin: slurmd (pid 97) runs without it or with an old one: systemctl restart slurmd@n97.service, between',
        ),
        (unload_the_module, 'module: /dev/cpu/msr_approved_list is missing'),
    ],
)
def test_what_is_not_well_is_said_in_one_line(node, slurm, capsys, damage, words):
    damage(node, slurm)
    capsys.readouterr()
    assert slurm.command('check') == 1
    said = capsys.readouterr().out
    assert words in said
    assert said.count('\n') == 1


def test_jobs_are_as_well_where_nobody_stands_by(node, slurm, capsys):
    node.put(STAMP, '22.05.8-abc\n')
    node.put('/proc/811/comm', 'slurmd\n')
    node.put('/proc/811/maps', '7f00 r-xp /usr/lib/slurm/msr_safe.so\n')
    assert slurm.command('check', '--all') == 0
    assert ' slurmd has loaded it\n' in capsys.readouterr().out
    node.put('/etc/systemd/system/multi-user.target.wants/msr-safe-standby.service', '')
    assert slurm.command('check', '--all') == 0
    assert 'starts a Python for each prolog and epilog: see systemctl status msr-safe-' in capsys.readouterr().out


def test_during_a_job_that_may_write_registers_are_not_checked(node, slurm, capsys):
    slurm.job('prolog', 42)
    slurm.step(42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    capsys.readouterr()
    assert slurm.command('check') == 0
    assert capsys.readouterr().out == 'msr-safe: all is as it should be, but for what was not checked: registers\n'


@pytest.mark.parametrize(
    ('knows_operators', 'said'),
    [(True, 'good   3 of 3 are at the baseline'), (False, 'not checked  2 of 3 are at the baseline')],
)
def test_registers_that_cannot_be_read_between_jobs_are_not_checked(node, slurm, capsys, knows_operators, said):
    node.put('/etc/msr-safe/approved_list', LIST)
    node.activate(LIST)
    node.knows_operators = knows_operators
    assert slurm.command('check', '--all') == 0
    assert 'registers      ' + said in capsys.readouterr().out


def test_a_list_that_another_module_shows_with_remarks_is_read(node, slurm, capsys):
    """Only then the list in force is looked at: our module lets root past it, and shows none in the middle."""
    node.knows_operators = False
    path = '/dev/cpu/msr_approved_list'
    node.put(path, node.get(path) + '\n# the end\n')
    slurm.command('check', '--all')
    assert 'of 3 are at the baseline' in capsys.readouterr().out


def test_slurm_that_does_not_answer_is_no_fault_of_the_node(slurm):
    slurm.job('prolog', 42)
    slurm.answers['squeue'] = (124, '')
    assert slurm.command('check') == 0


def test_for_programs(node, slurm, capsys):
    change_a_register(node, slurm)
    capsys.readouterr()
    assert slurm.command('check', '--json') == 1
    told = json.loads(capsys.readouterr().out)
    assert told['healthy'] is False
    assert [each['what'] for each in told['findings'] if each['state'] == 'bad'] == ['registers']


def test_counters_for_prometheus(node, slurm, capsys):
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    slurm.job('epilog', 42)
    slurm.job('prolog', 43, '--profile=nope')
    slurm.job('epilog', 43)
    capsys.readouterr()
    slurm.command('check', '--prometheus')
    lines = capsys.readouterr().out.splitlines()
    assert 'msr_safe_jobs_total 1' in lines
    assert 'msr_safe_refusals_total 1' in lines
    assert 'msr_safe_restores_total 1' in lines
    assert 'msr_safe_failures_total 0' in lines
    assert 'msr_safe_state{what="registers"} 0' in lines
    assert '# TYPE msr_safe_prolog_seconds_total counter' in lines


@pytest.mark.parametrize('text', ['0x10 0x0\n', 'MSR: 00000010 Write Mask: 0000000000000000\n', '\xff\n'])
def test_a_list_that_another_msr_safe_shows_in_its_own_words(node, slurm, capsys, text):
    node.knows_operators = False
    node.put('/dev/cpu/msr_approved_list', text)
    capsys.readouterr()
    assert slurm.command('check', '--all') == 1
    assert 'list in force  bad' in capsys.readouterr().out
