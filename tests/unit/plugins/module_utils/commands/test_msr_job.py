# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The command as the plugin and the scripts call it, on a fake node, with the real msrsave."""

import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands import msr_job
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs import cycle as job_cycle
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import LIST, MISC_ENABLE, TURBO_OFF
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import parse as parse_list
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_slurm import FakeSlurm

POWER_LIMIT = 0x610
BASELINE = '/var/lib/msr-safe/baseline'
RUN = '/run/msr-safe/jobs'


@pytest.fixture
def slurm(node):
    return FakeSlurm(node)


@pytest.fixture
def job(node, slurm):
    """Run a subcommand for a job; return its exit status."""

    def run(subcommand, number, *arguments, **who):
        slurm.jobs.add(number)
        environment = {
            'SLURM_JOB_ID': str(number),
            'SLURM_JOB_UID': str(who.get('uid', 1000)),
            'SLURM_JOB_USER': who.get('user', 'alice'),
            'SLURM_JOB_ACCOUNT': who.get('account', ''),
            'SLURM_JOB_PARTITION': 'main',
            'SLURMD_NODENAME': 'n1',
        }
        return msr_job.main([subcommand, *arguments], node.machine, environment)

    return run


@pytest.fixture
def command(node, slurm):
    return lambda *arguments: msr_job.main(list(arguments), node.machine, {})


def refusal(node, number):
    path = '%s/%d/refused' % (RUN, number)
    return node.get(path) if node.has(path) else None


def test_a_job_that_turns_turbo_off_leaves_it_as_it_was(node, slurm, job, capsys):
    assert job('prolog', 42) == 0
    assert capsys.readouterr().out == ''
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert job('epilog', 42) == 0
    assert node.register(MISC_ENABLE) == 0
    assert 'job 42: 0x000001A0 IA32_MISC_ENABLE' in capsys.readouterr().out
    assert node.names(RUN) == ['lock']


def test_msrsave_is_called_as_sites_know_it(slurm, job):
    job('prolog', 42)
    job('epilog', 42)
    assert slurm.asked == ['/usr/sbin/msrsave %s/42/registers' % RUN, '/usr/sbin/msrsave -r %s/42/registers' % RUN]


def test_another_msrsave(slurm, job):
    job('prolog', 42, '--msrsave=/opt/bin/msrsave')
    assert slurm.saw('/opt/bin/msrsave')


def test_state_is_for_root_only(node, job):
    job('prolog', 42)
    assert os.stat(node.path(RUN)).st_mode & 0o777 == 0o700


def test_a_planted_directory_is_refused(node, job, capsys):
    os.makedirs(node.path('/run/msr-safe'))
    os.mkdir(node.path('/tmp'), 0o777)
    os.symlink(node.path('/tmp'), node.path(RUN))
    assert job('prolog', 42) == 1
    assert '%s is not a directory of root with mode 0700' % RUN in capsys.readouterr().err
    assert node.names('/tmp') == []


@pytest.mark.parametrize(('path', 'mode'), [('/run/msr-safe', 0o777), (RUN, 0o711), (RUN, 0o770)])
def test_a_directory_that_others_may_use_is_refused(node, job, capsys, path, mode):
    os.makedirs(node.path(RUN), mode=0o700)
    os.chmod(node.path(path), mode)
    assert job('prolog', 42) == 1
    assert '%s is not a directory of root' % path in capsys.readouterr().err


def test_a_prolog_that_runs_again_does_not_save_what_the_job_changed(node, job):
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert job('prolog', 42) == 0
    job('epilog', 42)
    assert node.register(MISC_ENABLE) == 0


def test_an_epilog_without_a_prolog_does_nothing(node, slurm, job):
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert job('epilog', 42) == 0
    assert slurm.asked == []
    assert node.register(MISC_ENABLE) == TURBO_OFF


def test_a_job_whose_epilog_never_ran_is_undone_by_the_next_prolog(node, slurm, job):
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    slurm.jobs.remove(42)
    assert job('prolog', 43) == 0
    assert node.register(MISC_ENABLE) == 0
    assert node.names(RUN) == ['43', 'lock']


def test_a_prolog_killed_before_it_saved_falls_back_on_the_baseline(node, command, job):
    command('baseline')
    job('prolog', 42)
    node.remove('%s/42/registers' % RUN)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert job('epilog', 42) == 0
    assert node.register(MISC_ENABLE) == 0


# Profiles


def test_a_profile_is_in_force_for_the_job_only(node, job):
    before = node.active()
    assert job('prolog', 42, '--profile=power') == 0
    assert node.active() == {MISC_ENABLE: TURBO_OFF, POWER_LIMIT: 0xFF8000}
    job('epilog', 42)
    assert node.active() == before


def test_the_profile_of_another_cpu_is_not_put_in_force(node, job, capsys):
    before = node.active()
    path = '/etc/msr-safe/profiles/power'
    node.put(path, '# CPU: AuthenticAMD family 25 model 1 (Milan)\n' + node.get(path))
    assert job('prolog', 42, '--profile=power') != 0
    assert 'is for AuthenticAMD family 25 model 1 (al_191), and this CPU is' in capsys.readouterr().out
    assert node.active() == before


def test_what_only_a_profile_approves_is_restored_too(node, job):
    node.set_register(POWER_LIMIT, 0x640000)
    job('prolog', 42, '--profile=power')
    node.set_register(POWER_LIMIT, 0x320000)
    job('epilog', 42)
    assert node.register(POWER_LIMIT) == 0x640000


def test_another_list_loaded_meanwhile_does_not_keep_registers_from_being_restored(node, job):
    job('prolog', 42, '--profile=power')
    node.set_register(POWER_LIMIT, 0x320000)
    node.activate(LIST)
    assert job('epilog', 42) == 0
    assert node.register(POWER_LIMIT) == 0


@pytest.mark.parametrize('who', [{'user': 'alice'}, {'user': 'bob', 'account': 'physics'}])
def test_who_a_rule_names_may(node, job, who):
    job('prolog', 42, '--profile=power', **who)
    assert refusal(node, 42) is None


def test_who_no_rule_names_is_refused_with_words(node, slurm, job):
    before = node.active()
    assert job('prolog', 42, '--profile=power', user='bob', account='biology') == 0
    assert "the profile 'power' is not for user bob, account biology, partition main" in refusal(node, 42)
    assert 'This job may have: monitor' in refusal(node, 42)
    assert node.active() == before
    assert slurm.asked == []
    job('epilog', 42)
    assert node.names(RUN) == ['lock']


@pytest.mark.parametrize('name', ['nope', '../../etc/shadow', 'a\nb', '-x'])
def test_a_profile_that_does_not_exist_is_refused(node, job, name):
    job('prolog', 42, '--profile=' + name)
    assert refusal(node, 42) == 'there is no profile %r. There are: monitor, power.' % name


def test_a_refused_job_is_cancelled_where_there_is_no_plugin(slurm, job):
    job('prolog', 42, '--profile=nope', '--cancel-refused')
    assert slurm.asked[0].startswith("scontrol update jobid=42 admincomment=msr-safe: there is no profile 'nope'")
    assert slurm.asked[1] == 'scancel 42'


def test_the_default_profile(node, slurm, job):
    slurm.configure(default_profile='monitor')
    job('prolog', 42)
    assert node.active() == {0xCE: 0}


def test_who_may_not_have_the_default_profile_has_the_list_of_the_node(node, slurm, job):
    slurm.configure(default_profile='power')
    job('prolog', 42, user='bob')
    assert refusal(node, 42) is None
    assert node.active() == parse_list(LIST)


# Several jobs on a node


def test_beside_a_job_that_may_write_others_are_refused(node, job):
    job('prolog', 42)
    job('prolog', 43)
    assert 'job 42 on this node may write registers' in refusal(node, 43)
    job('epilog', 43)
    assert node.names(RUN) == ['42', 'lock']


def test_a_prolog_waits_for_the_epilog_of_the_job_before(node, slurm, job, monkeypatch):
    """Slurm allocated the node again before it was through with it."""
    monkeypatch.setattr(job_cycle.time, 'sleep', lambda seconds: None)
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    slurm.ending[42] = lambda: job('epilog', 42)
    assert job('prolog', 43) == 0
    assert refusal(node, 43) is None
    assert node.register(MISC_ENABLE) == 0
    assert node.names(RUN) == ['43', 'lock']


def test_a_prolog_does_not_wait_for_ever(node, slurm, job, monkeypatch):
    monkeypatch.setattr(job_cycle, 'EPILOGS_TIME', 0)
    monkeypatch.setattr(job_cycle.time, 'sleep', lambda seconds: pytest.fail('it waited'))
    job('prolog', 42)
    slurm.ending[42] = lambda: None
    job('prolog', 43)
    assert 'job 42 on this node may write registers' in refusal(node, 43)


def test_jobs_that_only_read_share_a_node(node, slurm, job):
    slurm.configure(default_profile='monitor')
    job('prolog', 42)
    job('prolog', 43)
    assert refusal(node, 43) is None


def test_the_last_job_restores(node, slurm, job):
    slurm.configure(shared='last')
    for number in (42, 43, 44):
        job('prolog', number)
        node.set_register(MISC_ENABLE, TURBO_OFF)
    for number in (42, 44):
        job('epilog', number)
        slurm.jobs.remove(number)
        assert node.register(MISC_ENABLE) == TURBO_OFF
    job('epilog', 43)
    assert node.register(MISC_ENABLE) == 0
    assert node.names(RUN) == ['lock']


def test_another_profile_than_the_one_in_force_is_refused(node, slurm, job):
    slurm.configure(shared='last')
    job('prolog', 42, '--profile=power')
    job('prolog', 43, '--profile=monitor')
    assert 'job 42 on this node has another profile than monitor' in refusal(node, 43)


# Failures


def test_a_register_that_cannot_be_restored_drains_the_node_with_its_name(node, slurm, job, capsys):
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.stuck.add(MISC_ENABLE)
    assert job('epilog', 42) == 1
    drained = slurm.asked[-1]
    assert drained.startswith(
        'scontrol update nodename=n1 state=drain reason=msr-safe: job 42: not restored: 0x000001A0'
    )
    assert 'IA32_MISC_ENABLE on CPU 0-3: the register did not take the value' in drained


def test_it_stays_recorded_and_is_tried_again(node, slurm, job):
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.stuck.add(MISC_ENABLE)
    job('epilog', 42)
    node.stuck.clear()
    slurm.jobs.clear()
    job('prolog', 43)
    assert node.register(MISC_ENABLE) == 0


def test_failures_can_be_tolerated(node, slurm, job, capsys):
    slurm.configure(epilog_failure='tolerate')
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.stuck.add(MISC_ENABLE)
    assert job('epilog', 42) == 0
    assert not slurm.saw('drain')
    assert 'IA32_MISC_ENABLE' in capsys.readouterr().out


@pytest.mark.parametrize('option', ['--epilog-failure=tolerate', '--epilog_failure=tolerate'])
def test_an_option_overrides_a_setting(node, slurm, job, option):
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.stuck.add(MISC_ENABLE)
    assert job('epilog', 42, option) == 0


def test_a_failing_epilog_still_closes_the_list(node, job):
    before = node.active()
    job('prolog', 42, '--profile=power')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.stuck.add(MISC_ENABLE)
    job('epilog', 42)
    assert node.active() == before


def test_a_failing_prolog_leaves_the_node_as_it_was(node, slurm, job):
    before = node.active()
    node.machine.run = lambda arguments: (1, 'no device')
    assert job('prolog', 42, '--profile=power') == 1
    assert node.active() == before
    assert node.names(RUN) == ['lock']


def test_the_reason_is_one_line(slurm, node, job):
    slurm.node.machine.run = lambda arguments: (
        slurm.asked.append(' '.join(arguments)) or (1, 'first\nsecond\n' + 300 * 'x')
    )
    job('prolog', 42)
    assert '\n' not in slurm.asked[-1]
    assert len(slurm.asked[-1]) < 260


# Survivors


def test_survivors_are_killed(node, job, monkeypatch):
    monkeypatch.setattr(job_cycle, 'SURVIVORS_TIME', 0.2)
    holder = {'pid': 4711, 'command': 'python3', 'path': '/dev/cpu/0/msr_safe'}
    left = [holder]
    monkeypatch.setattr(job_cycle, 'device_holders', lambda machine: list(left))
    monkeypatch.setattr(job_cycle, 'uid_of', lambda machine, holder: 1000)
    killed = []
    monkeypatch.setattr(job_cycle.os, 'kill', lambda pid, signal: killed.append(pid) or left.clear())
    job('prolog', 42)
    job('epilog', 42)
    assert killed == [4711]


@pytest.mark.parametrize(('uid', 'mode'), [(0, 'kill'), (1001, 'kill'), (1000, 'report')])
def test_others_are_not(node, slurm, job, monkeypatch, uid, mode):
    monkeypatch.setattr(job_cycle, 'SURVIVORS_TIME', 0.2)
    holder = {'pid': 4711, 'command': 'python3', 'path': '/dev/cpu/0/msr_safe'}
    monkeypatch.setattr(job_cycle, 'device_holders', lambda machine: [holder])
    monkeypatch.setattr(job_cycle, 'uid_of', lambda machine, holder: uid)
    monkeypatch.setattr(job_cycle.os, 'kill', lambda pid, signal: pytest.fail('killed'))
    slurm.configure(survivors=mode)
    job('prolog', 42)
    assert job('epilog', 42) == 0


# Report, baseline, reset


def test_the_report_says_what_changed(node, job, command, capsys):
    job('prolog', 42)
    assert command('report', '--job=42') == 0
    assert capsys.readouterr().out == 'no register is changed\n'
    node.set_register(MISC_ENABLE, TURBO_OFF)
    command('report', '--job=42')
    said = capsys.readouterr().out
    assert 'restored when it ends' in said
    assert 'IA32_MISC_ENABLE  0x0000004000000000 -> 0x0000000000000000  on CPU 0-3' in said
    assert node.register(MISC_ENABLE) == TURBO_OFF


def test_the_report_can_restore(node, job, command, capsys):
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    command('report', '--job=42', '--restore')
    assert 'now restored' in capsys.readouterr().out
    assert node.register(MISC_ENABLE) == 0


def test_reset_brings_back_the_baseline_and_forgets_jobs(node, job, command, capsys):
    command('reset')
    job('prolog', 42, '--profile=power')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.set_register(POWER_LIMIT, 0x320000)
    assert command('reset') == 0
    assert node.register(MISC_ENABLE) == node.register(POWER_LIMIT) == 0
    assert node.active() == parse_list(LIST)
    assert node.names(RUN) == ['lock']
    assert 'baseline: 0x000001A0' in capsys.readouterr().out


def test_the_baseline_is_not_taken_from_a_job(node, job, command, capsys):
    job('prolog', 42)
    assert command('baseline') == 1
    assert 'Job 42 is on this node' in capsys.readouterr().err
    assert not node.has(BASELINE)


def test_status(job, command, capsys):
    command('status')
    assert capsys.readouterr().out == 'no job\n'
    job('prolog', 42, '--profile=power')
    command('status')
    assert '42   1000  power' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('[job]\nshared = maybe\n', "shared is 'maybe'"),
        ('[job]\ncolour = red\n', 'there is no setting colour'),
        ('[job]\ndefault_profile = none\n', 'the default profile none is none of the profiles'),
        ('[profile A B]\n', 'is no name of a profile'),
        ('[profile a]\ngroups = x\n', 'unknown lines: groups'),
        ('[other]\n', '[other] is not known'),
        ('shared = last\n', 'jobs.conf'),
    ],
)
def test_bad_settings_are_named(node, command, capsys, text, words):
    node.put('/etc/msr-safe/jobs.conf', text)
    assert command('status') == 1
    assert words in capsys.readouterr().err


def test_without_settings_there_are_defaults(node, command):
    node.remove('/etc/msr-safe/jobs.conf')
    assert command('status') == 0


def test_it_is_for_slurmd_to_run(command, capsys):
    assert command('prolog') == 1
    assert 'SLURM_JOB_ID' in capsys.readouterr().err


def test_where_no_job_can_write_there_is_no_baseline(node, command, job):
    for path in ('/etc/msr-safe/approved_list', '/etc/msr-safe/profiles/power'):
        node.put(path, '0x10 0x0\n')
    assert command('reset') == 0
    assert not node.has(BASELINE)
    assert job('prolog', 42) == job('epilog', 42) == 0
