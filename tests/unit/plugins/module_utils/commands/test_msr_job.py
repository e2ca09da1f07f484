# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The command as the plugin and the scripts call it, on a fake node, with the real msrsave."""

import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands import msr_job
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs import record as records
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs import survivors
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.record import jobs_locked
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.slurm import COMMAND_TIME
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.slurm_conf import LONGEST
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
def job(slurm):
    """Run a subcommand for a job; return its exit status."""
    return slurm.job


@pytest.fixture
def command(slurm):
    return slurm.command


def test_a_job_that_turns_turbo_off_leaves_it_as_it_was(node, slurm, job, capsys):
    assert job('prolog', 42) == 0
    assert capsys.readouterr().out == ''
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert job('epilog', 42) == 0
    assert node.register(MISC_ENABLE) == 0
    assert 'job 42: 0x000001A0 IA32_MISC_ENABLE' in capsys.readouterr().out
    assert node.names(RUN) == ['lock']


def test_an_ordinary_job_asks_slurm_nothing(slurm, job):
    job('prolog', 42)
    job('epilog', 42)
    assert slurm.asked == []


def test_state_is_for_root_only(node, job):
    job('prolog', 42)
    assert os.stat(node.path(RUN)).st_mode & 0o777 == 0o700


def test_a_planted_directory_is_refused(node, job, capsys):
    os.makedirs(node.path('/run/msr-safe'))
    os.mkdir(node.path('/tmp'), 0o777)
    os.symlink(node.path('/tmp'), node.path(RUN))
    assert job('prolog', 42) == 1
    assert '%s is not a directory of root with mode 0700' % RUN in capsys.readouterr().out
    assert node.names('/tmp') == []


@pytest.mark.parametrize(('path', 'mode'), [('/run/msr-safe', 0o777), (RUN, 0o711), (RUN, 0o770)])
def test_a_directory_that_others_may_use_is_refused(node, job, capsys, path, mode):
    os.makedirs(node.path(RUN), mode=0o700)
    os.chmod(node.path(path), mode)
    assert job('prolog', 42) == 1
    assert '%s is not a directory of root' % path in capsys.readouterr().out


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
    del slurm.jobs['42']
    assert job('prolog', 43) == 0
    assert node.register(MISC_ENABLE) == 0
    assert node.names(RUN) == ['43', 'lock']


def test_a_prolog_that_was_killed_is_undone_all_the_same(node, command, job):
    command('baseline')
    job('prolog', 42)
    node.put(RUN + '/42/job', '{')
    node.remove(RUN + '/42/list')
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


def test_the_profile_of_another_cpu_is_not_put_in_force(node, slurm, job):
    path = '/etc/msr-safe/profiles/power'
    node.put(path, '# CPU: AuthenticAMD family 25 model 1 (Milan)\n' + node.get(path))
    assert job('prolog', 42, '--profile=power') == 0
    assert 'is for AuthenticAMD family 25 model 1 (al_191), and this CPU is' in slurm.refusal(42)
    assert POWER_LIMIT not in node.active()


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
def test_who_a_rule_names_may(node, slurm, job, who):
    job('prolog', 42, '--profile=power', **who)
    assert slurm.refusal(42) is None


def test_who_no_rule_names_is_refused_with_words(node, slurm, job):
    assert job('prolog', 42, '--profile=power', user='bob', account='biology') == 0
    assert "the profile 'power' is not for user bob, account biology, partition main" in slurm.refusal(42)
    assert 'This job may have: monitor' in slurm.refusal(42)
    assert not any(node.active().values())
    assert slurm.asked == []
    job('epilog', 42)
    assert node.active() == parse_list(LIST)
    assert node.names(RUN) == ['lock']


@pytest.mark.parametrize('name', ['nope', '../../etc/shadow', 'a\nb', '-x'])
def test_a_profile_that_does_not_exist_is_refused(node, slurm, job, name):
    job('prolog', 42, '--profile=' + name)
    assert slurm.refusal(42) == 'there is no profile %r. There are: monitor, power.' % name


def test_a_refused_job_is_cancelled_where_there_is_no_plugin(slurm, job):
    job('prolog', 42, '--profile=nope', '--cancel-refused')
    assert slurm.asked[0].startswith("scontrol update jobid=42 admincomment=msr-safe: there is no profile 'nope'")
    assert slurm.asked[1] == 'scancel 42'


def test_the_default_profile(node, slurm, job):
    slurm.configure(default_profile='monitor')
    job('prolog', 42)
    assert node.active() == {0xCE: 0}


def test_who_may_not_have_the_default_profile_reads_what_the_node_lets_be_read(node, slurm, job):
    slurm.configure(default_profile='power')
    job('prolog', 42, user='bob')
    assert slurm.refusal(42) is None
    assert node.active() == dict.fromkeys(parse_list(LIST), 0)


# Several jobs on a node


def test_beside_a_job_that_may_write_others_are_refused(node, slurm, job):
    job('prolog', 42)
    job('prolog', 43)
    assert 'job 42 on this node may write registers' in slurm.refusal(43)
    job('epilog', 43)
    assert node.names(RUN) == ['42', 'lock']


def test_a_prolog_waits_for_the_epilog_of_the_job_before(node, slurm, job, monkeypatch):
    """Slurm allocated the node again before it was through with it."""
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    slurm.jobs['42'] = 'CG'
    monkeypatch.setattr(msr_job.time, 'sleep', lambda seconds: job('epilog', 42))
    assert job('prolog', 43) == 0
    assert slurm.refusal(43) is None
    assert node.register(MISC_ENABLE) == 0
    assert node.names(RUN) == ['43', 'lock']


def test_a_prolog_does_not_wait_for_ever(slurm, job, monkeypatch):
    monkeypatch.setattr(msr_job, 'EPILOGS_TIME', 0)
    monkeypatch.setattr(msr_job.time, 'sleep', lambda seconds: pytest.fail('it waited'))
    job('prolog', 42)
    slurm.jobs['42'] = 'CG'
    job('prolog', 43)
    assert 'job 42 on this node may write registers' in slurm.refusal(43)


def test_jobs_that_only_read_share_a_node(node, slurm, job):
    slurm.configure(default_profile='monitor')
    job('prolog', 42)
    job('prolog', 43)
    assert slurm.refusal(43) is None


def test_the_last_job_restores(node, slurm, job):
    slurm.configure(shared='last')
    for number in (42, 43, 44):
        job('prolog', number)
        node.set_register(MISC_ENABLE, TURBO_OFF)
    for number in (42, 44):
        job('epilog', number)
        del slurm.jobs[str(number)]
        assert node.register(MISC_ENABLE) == TURBO_OFF
    job('epilog', 43)
    assert node.register(MISC_ENABLE) == 0
    assert node.names(RUN) == ['lock']


def test_another_profile_than_the_one_in_force_is_refused(node, slurm, job):
    slurm.configure(shared='last')
    job('prolog', 42, '--profile=power')
    job('prolog', 43, '--profile=monitor')
    assert 'job 42 on this node has another profile than monitor' in slurm.refusal(43)


# What is said in the accounting's record of a job


@pytest.fixture
def accounting(slurm, monkeypatch):
    monkeypatch.setattr(msr_job.time, 'sleep', lambda seconds: None)
    slurm.configure(admin_comment='accounting')
    return slurm.comments


def change_registers(node, job):
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    return job('epilog', 42)


WHAT_CAME_BACK = (
    'msr-safe: restored on n1: 0x000001a0 ia32_misc_enable 0x0000004000000000 -> 0x0000000000000000 on cpu 0-3'
)


def test_it_is_what_was_brought_back(node, accounting, job):
    change_registers(node, job)
    assert accounting == {'42': WHAT_CAME_BACK}


def test_what_others_said_there_stays(node, accounting, job):
    accounting['42'] = 'ticket: a=1 b=2'
    change_registers(node, job)
    assert accounting['42'] == 'ticket: a=1 b=2; ' + WHAT_CAME_BACK


@pytest.mark.parametrize('text', ['ticket: A=1', 'see "the manual"', "it's his", 'two\nlines'])
def test_what_sacctmgr_would_spoil_is_left_as_it_is(node, accounting, job, text, capsys):
    accounting['42'] = text
    assert change_registers(node, job) == 0
    assert accounting['42'] == text
    assert 'its AdminComment does not say so: it has a text that sacctmgr would spoil' in capsys.readouterr().out


@pytest.mark.parametrize('shown', ['42_2', '42+0'])
def test_of_an_array_or_a_heterogeneous_job_it_is_said_of_this_one_only(node, slurm, accounting, job, shown):
    """Task 2 of an array has the array's own number, by which sacctmgr would change them all."""
    accounting.update({'43': 'of another', '42': '', '44': 'of a third'})
    slurm.shown_as.update({'43': '42_0', '42': shown, '44': '42_1'})
    change_registers(node, job)
    assert accounting == {'43': 'of another', '42': WHAT_CAME_BACK, '44': 'of a third'}


def test_a_text_that_another_node_overwrote_is_added_again(node, slurm, accounting, job):
    first = 'msr-safe: restored on n2: x'
    slurm.written_meanwhile = [first, first + '; msr-safe: restored on n3: x']
    change_registers(node, job)
    assert accounting['42'] == 'msr-safe: restored on n2: x; msr-safe: restored on n3: x; ' + WHAT_CAME_BACK


def test_it_is_not_added_for_ever(node, slurm, accounting, job, capsys):
    slurm.written_meanwhile = ['msr-safe: restored on n2: x'] * 9
    assert change_registers(node, job) == 0
    assert 'its AdminComment does not say so: other nodes wrote over it' in capsys.readouterr().out


def test_a_job_that_the_accounting_does_not_know(node, accounting, job, capsys):
    accounting.clear()
    assert change_registers(node, job) == 0
    assert 'its AdminComment does not say so: the accounting does not know the job' in capsys.readouterr().out


def test_a_full_comment_is_left_as_it_is(node, accounting, job):
    accounting['42'] = 'x' * 990
    change_registers(node, job)
    assert accounting['42'] == 'x' * 990


def test_a_job_that_changed_nothing_costs_nothing(slurm, accounting, job):
    job('prolog', 42)
    job('epilog', 42)
    assert slurm.asked == []


def test_where_a_site_does_not_want_it_nothing_is_asked(node, slurm, job):
    change_registers(node, job)
    assert slurm.asked == []


def test_where_the_accounting_is_away_the_registers_come_back_all_the_same(node, slurm, accounting, job, capsys):
    slurm.answers['sacct'] = (1, 'sacct: error: slurm_persist_conn_open')
    assert change_registers(node, job) == 0
    assert node.register(MISC_ENABLE) == 0
    assert 'its AdminComment does not say so' in capsys.readouterr().out


def test_the_accounting_of_a_busy_node_has_more_time_than_a_question_about_a_job(node, slurm, accounting, job):
    change_registers(node, job)
    assert slurm.limits == [20, 20]


def test_all_that_an_epilog_may_wait_for_is_what_slurm_is_to_allow(node, slurm, accounting, job, monkeypatch, capsys):
    """Each command takes all the time that it has, and other nodes write over the text."""
    now, run = [0.0], slurm.run
    monkeypatch.setattr(msr_job.time, 'monotonic', lambda: now[0])
    monkeypatch.setattr(msr_job.time, 'sleep', lambda seconds: now.append(now.pop() + seconds))

    def take_long(arguments):
        answer = run(arguments)
        now[0] += slurm.limits[-1]
        return answer

    node.machine.run = take_long
    slurm.written_meanwhile = ['msr-safe: restored on n2: x'] * 9
    assert change_registers(node, job) == 0
    assert 'its AdminComment does not say so: the accounting took more than 45 s' in capsys.readouterr().out
    others = records.PATIENCE + COMMAND_TIME + survivors.PATIENCE + msr_job.TALLY_TIME
    assert now[0] + others <= LONGEST


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


def test_a_failing_prolog_lets_nobody_write(node, slurm, job):
    slurm.command('baseline')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.stuck.add(MISC_ENABLE)
    assert job('prolog', 42, '--profile=power') == 1
    assert slurm.saw('state=drain reason=msr-safe: job 42: not restored: 0x000001A0')
    assert node.active() == parse_list(LIST)
    assert node.names(RUN) == ['lock', 'stuck']


def test_the_reason_is_one_line(slurm, node, job):
    node.put(BASELINE, 'first\nsecond\n' + 300 * 'x')
    assert job('prolog', 42) == 1
    assert '\n' not in slurm.asked[-1]
    assert len(slurm.asked[-1]) < 260


def test_where_slurmctld_is_away_the_node_still_says_that_it_failed(slurm, node, job, capsys):
    slurm.answers['scontrol'] = (124, '')
    node.put(BASELINE, 'nonsense')
    assert job('prolog', 42) == 1
    assert 'the reason could not be told to Slurm' in capsys.readouterr().out


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


def test_the_report_says_what_could_not_be_brought_back(node, job, command, capsys):
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.stuck.add(MISC_ENABLE)
    assert command('report', '--job=42', '--restore') == 0
    said = capsys.readouterr().out
    assert 'not restored: 0x000001A0 IA32_MISC_ENABLE on CPU 0-3' in said
    assert 'no register is changed' not in said


def test_reset_brings_back_the_baseline_and_forgets_jobs(node, slurm, job, command, capsys):
    command('reset')
    job('prolog', 42, '--profile=power')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.set_register(POWER_LIMIT, 0x320000)
    del slurm.jobs['42']
    assert command('reset') == 0
    assert node.register(MISC_ENABLE) == node.register(POWER_LIMIT) == 0
    assert node.active() == parse_list(LIST)
    assert node.names(RUN) == ['lock']
    assert 'baseline: 0x000001A0' in capsys.readouterr().out


@pytest.mark.parametrize('what', ['baseline', 'reset'])
def test_a_running_job_keeps_its_registers(node, job, command, capsys, what):
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    before = node.get(BASELINE)
    assert command(what) == 1
    assert 'Job 42 is on this node' in capsys.readouterr().err
    assert node.get(BASELINE) == before
    assert node.register(MISC_ENABLE) == TURBO_OFF


def test_what_an_administrator_has_squeue_leave_out_is_here_all_the_same(node, job, command, monkeypatch):
    """As in a shell with variables of squeue's, for daily use."""
    monkeypatch.setenv('SQUEUE_STATES', 'PD')
    monkeypatch.setenv('SQUEUE_SORT', 'i')
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert command('reset') == 1
    assert node.register(MISC_ENABLE) == TURBO_OFF


def test_no_answer_means_that_it_is_still_there(slurm, job, command, capsys):
    job('prolog', 42)
    slurm.answers['squeue'] = (124, '')
    assert command('reset') == 1
    assert command('reset', '--force') == 0


def test_the_service_that_starts_again_leaves_jobs_alone(node, job, command, capsys):
    job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert command('reset', '--boot') == 0
    assert 'are left as they are' in capsys.readouterr().out
    assert node.register(MISC_ENABLE) == TURBO_OFF


# The boot of a node


NOT_FOUND = (1, 'modprobe: FATAL: Module msr_safe not found in directory /lib/modules/6.1.0-18-amd64\n')


@pytest.fixture
def without_module(node):
    """A node whose kernel has no module, as after an update of the kernel."""
    node.remove('/dev/cpu/msr_approved_list')
    node.remove('/dev/cpu/msr_batch')
    node.answers['modprobe'] = NOT_FOUND


def test_a_kernel_without_a_module_drains_the_node_and_lets_slurmd_start(slurm, without_module, command, capsys):
    assert command('reset', '--boot') == 0
    reason = 'msr-safe: at boot: There is no module msr_safe for kernel 6.1.0-18-amd64 on this node'
    assert slurm.asked[-1].startswith('scontrol update nodename=n1 state=drain reason=' + reason)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(reason)


def test_a_module_that_is_there_by_then_is_loaded(node, slurm, command):
    text = node.get('/dev/cpu/msr_approved_list')
    node.remove('/dev/cpu/msr_approved_list')
    node.effects['modprobe'] = lambda _arguments: node.put('/dev/cpu/msr_approved_list', text)
    assert command('reset', '--boot') == 0
    assert not slurm.saw('drain')


def test_a_slurmctld_that_is_not_up_yet_is_told_later(slurm, without_module, command, monkeypatch):
    slurm.answers['scontrol'] = (1, 'Unable to contact slurm controller')
    monkeypatch.setattr(msr_job.time, 'sleep', lambda _seconds: slurm.answers.pop('scontrol'))
    assert command('reset', '--boot') == 0
    assert slurm.asked[-1].startswith('scontrol update nodename=n1 state=drain')


def test_slurmd_stays_off_where_nobody_can_be_told(slurm, without_module, command, monkeypatch, capsys):
    monkeypatch.setattr(msr_job, 'DRAIN_TIME', 0)
    slurm.answers['scontrol'] = (1, 'Unable to contact slurm controller')
    assert command('reset', '--boot') == 1
    assert 'could not be told to Slurm' in capsys.readouterr().out


def test_while_it_waits_for_slurmctld_it_holds_up_nobody(node, slurm, without_module, command, monkeypatch):
    slurm.answers['scontrol'] = (1, 'Unable to contact slurm controller')
    taken = []

    def pause(_seconds):
        with jobs_locked(node.machine, patience=0):
            taken.append(True)
        slurm.answers.clear()

    monkeypatch.setattr(msr_job.time, 'sleep', pause)
    assert command('reset', '--boot') == 0
    assert taken and slurm.saw('state=drain')


def test_a_site_that_tolerates_it_is_not_drained_at_boot(slurm, without_module, command, capsys):
    slurm.configure(prolog_failure='tolerate')
    assert command('reset', '--boot') == 0
    assert not slurm.saw('drain')
    assert 'There is no module msr_safe' in capsys.readouterr().out


def test_by_hand_a_missing_module_is_an_error_only(slurm, without_module, command):
    assert command('reset') == 1
    assert not slurm.saw('drain')


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
