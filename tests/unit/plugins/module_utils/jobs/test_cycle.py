# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What must never happen to a node, or to the next job on it."""

import errno
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands import msr_job
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs import image
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs import record as records
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.settings import read_settings
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.slurm import COMMAND_TIME, Slurm
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.slurm_conf import LONGEST
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import LIST, MISC_ENABLE, TURBO_OFF
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import parse as parse_list
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_slurm import FakeSlurm

POWER_LIMIT = 0x610
BASELINE = '/var/lib/msr-safe/baseline'
RUN = '/run/msr-safe/jobs'
SETTINGS = '/etc/msr-safe/jobs.conf'


@pytest.fixture(params=[True, False], ids=['', 'the list holds root, too'])
def slurm(node, request):
    node.knows_operators = request.param
    return FakeSlurm(node)


def test_nothing_is_approved_for_users_while_registers_are_brought_back(node):
    slurm = FakeSlurm(node)
    slurm.job('prolog', 42, '--profile=power')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    power = node.active()
    node.list_device.published.clear()
    assert slurm.job('epilog', 42) == 0
    assert node.register(MISC_ENABLE) == 0
    closed, own = [parse_list(text) for text in node.list_device.published]
    assert closed == dict.fromkeys(power, 0), 'what could be read can be read'
    assert own == parse_list(LIST)


# 1. A refusal never drains


@pytest.mark.parametrize('answer', [(1, 'Job/step already completing or completed'), (124, '')])
def test_a_refused_job_that_is_over_on_another_node_drains_nothing(node, slurm, answer):
    slurm.answers['scontrol'] = slurm.answers['scancel'] = answer
    assert slurm.job('prolog', 42, '--profile=nope', '--cancel-refused') == 0
    assert not slurm.saw('drain')


def test_a_refused_job_that_could_not_be_cancelled_writes_nothing(node, slurm):
    slurm.answers['scancel'] = (124, '')
    slurm.job('prolog', 42, '--profile=nope', '--cancel-refused')
    assert not any(node.active().values())
    slurm.job('epilog', 42)
    assert node.active() == parse_list(LIST)


@pytest.mark.parametrize('text', ['nonsense\n', None])
def test_a_user_who_asks_for_a_profile_with_a_broken_list_drains_nothing(node, slurm, text):
    if text is None:
        node.remove('/etc/msr-safe/profiles/power')
    else:
        node.put('/etc/msr-safe/profiles/power', text)
    assert slurm.job('prolog', 42, '--profile=power') == 0
    assert "the list of the profile 'power' is broken" in slurm.refusal(42)
    assert slurm.asked == []


def test_a_refusal_that_syslog_has_no_letters_for_drains_nothing(node, slurm):
    """Where accounts are not enforced, a user names any: here a byte that is no UTF-8, as Python has it."""
    who = {'user': 'bob', 'account': os.fsdecode(b'\xff')}
    assert slurm.job('prolog', 42, '--profile=power', '--syslog', '--cancel-refused', **who) == 0
    assert slurm.saw('scancel 42')
    assert not slurm.saw('drain')


def test_beside_a_job_that_was_refused_others_begin_with_the_baseline_too(node, slurm, capsys):
    """Between jobs the node's own list may let registers be written: by who comes by ssh, then holds the node so."""
    slurm.command('baseline')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    slurm.job('prolog', 42, '--profile=nope', partition='shared')
    slurm.job('prolog', 43, partition='shared')
    assert node.register(MISC_ENABLE) == 0
    assert '0x000001A0 IA32_MISC_ENABLE  0x0000004000000000 -> 0x0000000000000000' in capsys.readouterr().out


# 2. A job does not inherit the registers of its own former run


def test_a_job_that_was_started_again_without_its_epilog_starts_clean(node, slurm):
    slurm.job('prolog', 42, restart_count=0)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert slurm.job('prolog', 42, restart_count=1) == 0
    assert node.register(MISC_ENABLE) == 0
    assert records.read_record(node.machine, '42').run == '1'


def test_where_slurm_does_not_count_restarts_a_job_without_a_step_starts_clean(node, slurm):
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    slurm.job('prolog', 42)
    assert node.register(MISC_ENABLE) == 0


def test_a_running_job_whose_prolog_runs_again_keeps_its_registers(node, slurm):
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    slurm.step(42)
    slurm.job('prolog', 42)
    assert node.register(MISC_ENABLE) == TURBO_OFF


def test_a_run_that_is_over_is_not_begun_by_a_prolog_that_comes_late(node, slurm, capsys):
    """slurmd was restarted while the prolog waited, and ran the epilog."""
    slurm.job('prolog', 42, restart_count=0)
    slurm.job('epilog', 42)
    slurm.job('prolog', 42, '--profile=power', restart_count=0)
    assert 'its prolog comes too late' in capsys.readouterr().out
    assert node.active() == parse_list(LIST)
    assert records.read_records(node.machine) == {}
    assert slurm.job('prolog', 42, '--profile=power', restart_count=1) == 0
    assert POWER_LIMIT in node.active()


def test_the_same_number_long_after_is_another_job(node, slurm, monkeypatch):
    """slurmctld lost its state, and counts from the beginning."""
    slurm.job('prolog', 42, '--profile=power', restart_count=0)
    slurm.job('epilog', 42, restart_count=0)
    now = records.time.time()
    monkeypatch.setattr(records.time, 'time', lambda: now + records.LATEST + 1)
    assert slurm.job('prolog', 42, '--profile=power', restart_count=0) == 0
    assert '42' in records.read_records(node.machine)


def test_so_it_is_where_the_clock_was_put_back(node, slurm, monkeypatch):
    slurm.job('prolog', 42, '--profile=power', restart_count=0)
    slurm.job('epilog', 42, restart_count=0)
    now = records.time.time()
    monkeypatch.setattr(records.time, 'time', lambda: now - records.LATEST - 1)
    assert slurm.job('prolog', 42, '--profile=power', restart_count=0) == 0
    assert '42' in records.read_records(node.machine)


def test_what_is_remembered_of_jobs_that_are_over_does_not_grow(node, slurm):
    for number in range(100, 200):
        records.make_directory(node.machine)
        records.remember_end(node.machine, str(number), '0')
    assert node.get(records.ENDED).count('\n') == records.REMEMBERED


def test_a_refusal_of_a_former_run_is_not_told_to_the_next(node, slurm):
    slurm.job('prolog', 42, '--profile=nope', restart_count=0)
    assert slurm.refusal(42)
    slurm.job('prolog', 42, '--profile=power', restart_count=1)
    assert slurm.refusal(42) is None


# 3. One typo does not take the cluster out


@pytest.mark.parametrize(
    'text', ['[job]\ndefault_profile = mistyped\n', '[job]\nshared = maybe\n', '[profile power]\nuser = alice\n', 'x']
)
def test_with_broken_settings_jobs_run_and_write_nothing(node, slurm, capsys, text):
    node.put(SETTINGS, text)
    assert slurm.job('prolog', 42) == 0
    assert SETTINGS in capsys.readouterr().out
    assert not any(node.active().values())
    assert slurm.job('epilog', 42) == 0
    assert node.active() == parse_list(LIST)
    assert slurm.asked == []


def test_with_broken_settings_nobody_has_a_profile(node, slurm):
    node.put(SETTINGS, '[profile power]\nuser = alice\n')
    assert slurm.job('prolog', 42, '--profile=power') == 0
    assert 'the settings of this node are broken: ' in slurm.refusal(42)


def test_a_job_that_began_before_the_settings_broke_is_undone(node, slurm):
    slurm.job('prolog', 42, '--profile=power')
    node.set_register(POWER_LIMIT, 0x320000)
    node.put(SETTINGS, 'nonsense')
    assert slurm.job('epilog', 42) == 0
    assert node.register(POWER_LIMIT) == 0
    assert node.active() == parse_list(LIST)


@pytest.mark.parametrize('option', ['--epilog_failur=tolerate', '--shared=maybe', 'nonsense'])
def test_a_mistyped_argument_in_plugstack_conf_drains_nothing(node, slurm, capsys, option):
    assert slurm.job('prolog', 42, option) == 0
    assert option.lstrip('-').partition('=')[0] in capsys.readouterr().out
    assert slurm.job('epilog', 42, option) == 0
    assert slurm.asked == []


def test_a_malformed_list_of_the_node_lets_nobody_do_anything(node, slurm):
    slurm.job('prolog', 42, '--profile=power')
    node.set_register(POWER_LIMIT, 0x320000)
    node.put('/etc/msr-safe/approved_list', 'nonsense')
    assert slurm.job('epilog', 42) == 0
    assert node.register(POWER_LIMIT) == 0
    assert node.active() == {}


@pytest.mark.parametrize('who', [{'user': 'bob'}, {'user': ''}])
def test_a_rule_that_names_nobody_is_for_nobody(node, slurm, who):
    node.put(SETTINGS, '[job]\nexclusive = main\n[profile power]\nusers =\n')
    slurm.job('prolog', 42, '--profile=power', **who)
    assert "the profile 'power' is not for user" in slurm.refusal(42)


# 4. A job that asks for nothing shares


def test_a_hundred_jobs_that_ask_for_nothing_share_a_node(node, slurm):
    for number in range(1, 101):
        slurm.job('prolog', number, partition='shared', user='user%d' % number)
        assert slurm.refusal(number) is None
    assert slurm.asked == []
    assert node.active() == dict.fromkeys(parse_list(LIST), 0)
    for number in range(1, 101):
        slurm.job('epilog', number)
    assert node.active() == parse_list(LIST)
    assert slurm.asked == []


def test_a_default_that_may_write_only_reads_where_nodes_are_shared(node, slurm):
    slurm.configure(default_profile='power')
    slurm.job('prolog', 42, partition='shared')
    slurm.job('prolog', 43, partition='shared')
    assert slurm.refusal(43) is None
    assert node.active() == {MISC_ENABLE: 0, POWER_LIMIT: 0}


def test_partitions_have_defaults_of_their_own(node, slurm):
    text = node.get(SETTINGS)
    node.put(SETTINGS, text + '[partition tuning]\ndefault_profile = power\n[partition quiet]\ndefault_profile =\n')
    slurm.job('prolog', 42, partition='tuning', oversubscribe='NO')
    assert node.active()[POWER_LIMIT] == 0xFF8000
    slurm.job('epilog', 42)
    slurm.job('prolog', 43, partition='quiet', oversubscribe='NO')
    assert node.active() == parse_list(LIST)


def test_who_may_write_needs_a_node_of_its_own(node, slurm):
    slurm.job('prolog', 42, '--profile=power', partition='shared')
    assert 'need a node of their own' in slurm.refusal(42)
    assert '--exclusive, or --partition=main' in slurm.refusal(42)
    slurm.alone.add('43')
    slurm.job('epilog', 42)
    slurm.job('prolog', 43, '--profile=power', partition='shared')
    assert slurm.refusal(43) is None


@pytest.mark.parametrize('comment', ['x OverSubscribe=NO', 'x\n43 NO', 'x\n   OverSubscribe=NO Contiguous=0'])
def test_what_a_user_writes_about_a_job_does_not_make_it_alone(node, slurm, comment):
    slurm.comment_of_user = comment
    slurm.job('prolog', 43, '--profile=power', partition='shared')
    assert 'need a node of their own' in slurm.refusal(43)
    assert not any(node.active().values())


def test_of_an_array_the_task_itself_has_to_be_alone(node, slurm):
    """By the number of its last task Slurm lists them all."""
    slurm.array = ('44', '43')
    slurm.alone.add('44')
    slurm.jobs['44'] = 'R'
    slurm.job('prolog', 43, '--profile=power', partition='shared')
    assert slurm.refusal(43)


def test_where_slurm_does_not_say_so_a_job_is_not_alone(node, slurm):
    slurm.answers['scontrol'] = (124, '')
    assert slurm.job('prolog', 42, '--profile=power', partition='shared') == 0
    assert 'need a node of their own' in slurm.refusal(42)


@pytest.mark.parametrize('shared', ['refuse', 'last'])
def test_a_refused_job_adds_nothing_to_its_neighbour_s_list_and_keeps_nothing_of_it(node, slurm, shared):
    """While the neighbour is here its list is in force for all on the node: there is one for a kernel."""
    slurm.configure(shared=shared, exclusive='')
    slurm.alone.add('42')
    slurm.job('prolog', 42, '--profile=power')
    power = node.active()
    slurm.job('prolog', 43, '--profile=monitor')
    assert slurm.refusal(43)
    assert node.active() == {**dict.fromkeys(parse_list(LIST), 0), **power}
    slurm.job('epilog', 42)
    assert node.active() == dict.fromkeys(parse_list(LIST), 0)


def test_who_reads_different_profiles_shares_a_node(node, slurm):
    slurm.job('prolog', 42, partition='shared')
    slurm.job('prolog', 43, '--profile=monitor', partition='shared')
    assert slurm.refusal(43) is None
    slurm.job('epilog', 42)
    assert node.active() == {0xCE: 0}


# 6. A register that is stuck does not spread


def stick(node, slurm, policy):
    slurm.configure(prolog_failure=policy, epilog_failure=policy)
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.stuck.add(MISC_ENABLE)
    return slurm.job('epilog', 42)


def test_where_failures_are_tolerated_every_later_job_runs_and_the_register_is_named(node, slurm, capsys):
    assert stick(node, slurm, 'tolerate') == 0
    for number in (43, 44):
        capsys.readouterr()
        assert slurm.job('prolog', number) == 0
        assert '0x000001A0 IA32_MISC_ENABLE on CPU 0-3' in capsys.readouterr().out
        assert records.read_record(node.machine, str(number)).writes
        assert slurm.job('epilog', number) == 0
    node.stuck.clear()
    slurm.job('prolog', 45)
    assert node.register(MISC_ENABLE) == 0
    assert not node.has(RUN + '/stuck')


def test_where_they_are_not_no_job_starts_until_it_is_mended(node, slurm):
    assert stick(node, slurm, 'drain') == 1
    assert slurm.job('prolog', 43, '--profile=monitor') == 1
    node.stuck.clear()
    assert slurm.job('prolog', 43, '--profile=monitor') == 0
    assert node.register(MISC_ENABLE) == 0


# 7. Decided, one by one


def test_a_list_that_was_changed_during_a_job_does_not_keep_its_registers(node, slurm):
    slurm.job('prolog', 42, '--profile=power')
    node.set_register(POWER_LIMIT, 0x320000)
    node.put('/etc/msr-safe/profiles/power', '0xCE 0x0\n')
    assert slurm.job('epilog', 42) == 0
    assert node.register(POWER_LIMIT) == 0


def test_a_profile_that_is_new_during_a_job_is_no_concern_of_its_epilog(node, slurm):
    """Else a change of the settings would drain all nodes on which a job changed something."""
    slurm.job('prolog', 42, '--profile=power')
    node.set_register(POWER_LIMIT, 0x320000)
    node.put('/etc/msr-safe/profiles/monitor', '0x620 0x7F7F # MSR_UNCORE_RATIO_LIMIT\n')
    assert slurm.job('epilog', 42) == 0
    assert node.register(POWER_LIMIT) == 0


def test_what_jobs_may_have_set_from_now_on_is_known_before_the_next(node, slurm):
    slurm.job('prolog', 42)
    slurm.job('epilog', 42)
    text = node.get(SETTINGS)
    node.put(SETTINGS, text.replace('[profile monitor]', '[profile monitor]\nset = uncore_frequency:1GHz-2GHz'))
    node.set_register(0x620, 0x18)
    slurm.job('prolog', 43, '--profile=monitor', '--set=uncore_frequency=1GHz')
    assert node.register(0x620) == 0xA
    assert slurm.job('epilog', 43) == 0
    assert node.register(0x620) == 0x18


def test_a_node_of_an_image_has_the_list_of_its_cpu_between_jobs(node, slurm):
    node.remove('/etc/msr-safe/approved_list')
    node.put('/etc/msr-safe/approved_lists/al_191', '0xC0010062 0x7\n')
    node.put('/etc/msr-safe/approved_lists/al_0655', LIST)
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert slurm.job('epilog', 42) == 0
    assert node.register(MISC_ENABLE) == 0
    assert node.active() == parse_list(LIST)


def test_another_list_in_an_image_is_seen_by_the_next_job(node, slurm):
    node.remove('/etc/msr-safe/approved_list')
    node.put('/etc/msr-safe/approved_lists/al_0655', LIST)
    for number in (42, 43):
        slurm.job('prolog', number)
        slurm.job('epilog', number)
    node.machine.write('/etc/msr-safe/approved_lists/al_0655', b'0x1A0 0x0\n')
    slurm.job('prolog', 44)
    slurm.job('epilog', 44)
    assert node.active() == {MISC_ENABLE: 0}


def test_a_list_that_is_replaced_while_a_prolog_reads_is_that_of_the_next_job(node, slurm):
    """The role replaces one list after another, while jobs come and go."""
    node.before_batch.append(lambda: node.machine.write('/etc/msr-safe/profiles/power', b'0x1A0 0x0\n'))
    slurm.job('prolog', 42, '--profile=power')
    slurm.job('epilog', 42)
    slurm.job('prolog', 43, '--profile=power')
    assert node.active() == {MISC_ENABLE: 0}


def test_what_another_version_of_this_compiled_is_not_used(node, slurm, monkeypatch):
    slurm.job('prolog', 42)
    slurm.job('epilog', 42)
    monkeypatch.setattr(image, '__file__', os.__file__)
    assert image.read_image(node.machine, read_settings(node.machine)) is None


def test_the_baseline_of_a_cloned_image_is_set_aside(node, slurm, capsys):
    slurm.command('baseline')
    node.put('/proc/sys/kernel/hostname', 'n2\n')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert slurm.command('reset', '--boot') == 0
    assert 'it is of host n1' in capsys.readouterr().out
    assert node.register(MISC_ENABLE) == TURBO_OFF
    assert node.has(BASELINE + '.foreign')
    assert '"host": "n2"' in node.get(BASELINE)


@pytest.mark.parametrize('cpu', [('GenuineIntel', 6, 85, 4), ('AuthenticAMD', 25, 1, 1)])
def test_the_baseline_of_another_cpu_is_set_aside(node, slurm, cpu):
    slurm.command('baseline')
    node.describe_cpu(*cpu)
    assert slurm.command('reset', '--boot') == 0
    assert node.has(BASELINE + '.foreign')


def test_a_register_that_only_a_new_profile_has_becomes_part_of_the_baseline(node, slurm):
    slurm.command('baseline')
    node.put('/etc/msr-safe/profiles/power', '0x620 0x7F7F # MSR_UNCORE_RATIO_LIMIT\n')
    node.set_register(0x620, 0x1018)
    slurm.job('prolog', 42, '--profile=power')
    node.set_register(0x620, 0x1010)
    slurm.job('epilog', 42)
    assert node.register(0x620) == 0x1018


def test_cpus_that_go_offline_during_a_job_are_left_out(node, slurm):
    slurm.command('baseline')
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.set_online('0-1')
    assert slurm.job('epilog', 42) == 0
    assert (node.register(MISC_ENABLE, 0), node.register(MISC_ENABLE, 3)) == (0, TURBO_OFF)


def test_they_are_brought_back_when_they_are_online_again(node, slurm):
    test_cpus_that_go_offline_during_a_job_are_left_out(node, slurm)
    node.set_online('0-3')
    slurm.job('prolog', 43)
    assert node.register(MISC_ENABLE, 3) == 0


def test_cpus_that_come_online_between_jobs_become_part_of_the_baseline(node, slurm):
    node.set_online('0-1')
    slurm.command('baseline')
    node.set_online('0-3')
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert slurm.job('epilog', 42) == 0
    assert node.register(MISC_ENABLE, 3) == 0


def test_cpus_that_come_online_during_a_job_are_nothing_to_rely_on(node, slurm):
    node.set_online('0-1')
    slurm.job('prolog', 42)
    node.set_online('0-3')
    assert slurm.job('epilog', 42) == 1
    assert slurm.saw('on CPU 2-3: not in the baseline')


def test_a_report_restores_nothing_under_neighbours(node, slurm, capsys):
    slurm.configure(shared='last')
    slurm.job('prolog', 42)
    slurm.job('prolog', 43)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert slurm.command('report', '--job=42', '--restore') == 0
    assert 'restored when it ends' in capsys.readouterr().out
    assert node.register(MISC_ENABLE) == TURBO_OFF


def test_jobs_of_two_slurmd_on_a_host_are_neighbours(node, slurm):
    slurm.job('prolog', 42)
    slurm.step(42, 'n1')
    slurm.job('prolog', 43, '--profile=power')
    assert 'job 42 on this node may write registers' in slurm.refusal(43)


def test_a_damaged_record_is_asked_about_without_its_node(node, slurm):
    """squeue may refuse a list of nodes that is empty; then the node would refuse jobs for ever."""
    slurm.job('prolog', 42)
    node.put(RUN + '/42/job', 'nonsense')
    slurm.jobs.clear()
    assert slurm.job('prolog', 43, '--profile=power') == 0
    assert slurm.saw('--jobs=42')
    assert not slurm.saw('--nodelist')
    assert slurm.refusal(43) is None


def test_a_silent_slurm_is_asked_once_however_many_are_here(node, slurm):
    """Each question takes seconds, with the lock held that epilogs wait for."""
    for number in range(100, 120):
        slurm.job('prolog', number, partition='shared')
    slurm.answers['squeue'] = (124, '')
    assert slurm.job('prolog', 42, '--profile=power') == 0
    assert 'job 100 is on this node' in slurm.refusal(42)
    assert len(slurm.asked) == 1


def test_so_is_a_slow_one(node, slurm, monkeypatch):
    for number in range(100, 120):
        slurm.job('prolog', number, partition='shared')
    now, run = [0.0], slurm.run
    monkeypatch.setattr(msr_job.time, 'monotonic', lambda: now[0])

    def take_long(arguments):
        now[0] += COMMAND_TIME - 1
        return run(arguments)

    node.machine.run = take_long
    assert slurm.job('prolog', 42, '--profile=power') == 0
    assert now[0] <= 2 * COMMAND_TIME


def test_a_job_with_a_step_is_here_without_a_question(node, slurm):
    slurm.job('prolog', 42)
    slurm.step(42)
    slurm.job('prolog', 43)
    assert slurm.refusal(43)
    assert slurm.asked == []


@pytest.mark.parametrize(
    'path', ['/tmp/n1_42.0', '@/n1_42.0', '/tmp/n1_42.0/../../etc/passwd', '/var/spool/slurmd/n1_42.0']
)
def test_a_socket_that_a_user_named_like_a_step_s_keeps_nobody_from_the_node(node, slurm, path):
    """Its name in the kernel's list is what the user said it is, in a mount namespace of his own."""
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    slurm.jobs.clear()
    node.put('/tmp/n1_42.0', '')
    node.put('/etc/passwd', '')
    slurm.listen(path)
    slurm.job('prolog', 43)
    assert slurm.refusal(43) is None
    assert node.register(MISC_ENABLE) == 0


def test_a_socket_of_a_user_s_is_no_step_whatever_its_name(node, slurm, monkeypatch):
    slurm.job('prolog', 42)
    slurm.step(42)
    record, manager = records.read_record(node.machine, '42'), Slurm(node.machine, 'n1')
    assert manager.has_step(record)
    monkeypatch.setattr(os, 'geteuid', lambda: os.getuid() + 1)
    assert not manager.has_step(record)


def test_a_task_of_an_array_that_is_over_is_undone_while_others_of_it_run(node, slurm):
    """Its epilog never ended; by its number Slurm lists all the array, and so the task that begins."""
    slurm.array = ('44', '42')
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    slurm.jobs.update({'42': 'CD', '44': 'R'})
    slurm.job('prolog', 44)
    assert slurm.refusal(44) is None
    assert node.register(MISC_ENABLE) == 0


def test_a_job_that_slurm_does_not_answer_for_is_here(node, slurm):
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    slurm.answers['squeue'] = (124, '')
    assert slurm.job('prolog', 43) == 0
    assert 'job 42 on this node may write registers' in slurm.refusal(43)
    assert node.register(MISC_ENABLE) == TURBO_OFF


# 8. and 9. The next job starts from the baseline


def test_what_changed_between_jobs_is_brought_back_before_the_next(node, slurm, capsys):
    slurm.command('baseline')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert slurm.job('prolog', 42, '--profile=monitor') == 0
    assert node.register(MISC_ENABLE) == 0
    assert 'before job 42: 0x000001A0 IA32_MISC_ENABLE' in capsys.readouterr().out


def test_a_descriptor_that_writes_after_the_registers_were_restored_is_found_out(node, slurm):
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)

    def nothing():
        return None

    def write_again():
        node.set_register(MISC_ENABLE, TURBO_OFF)

    # Seen to differ, compared, written, read back, and compared anew
    node.before_batch += [nothing, nothing, nothing, nothing, write_again]
    assert slurm.job('epilog', 42) == 0
    assert node.before_batch == []
    assert node.register(MISC_ENABLE) == 0


def test_what_somebody_writes_again_and_again_is_a_failure(node, slurm):
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    again = [lambda: node.set_register(MISC_ENABLE, TURBO_OFF), lambda: None, lambda: None]
    node.before_batch += [lambda: None, *(4 * again)]
    assert slurm.job('epilog', 42) == 1
    assert slurm.saw('IA32_MISC_ENABLE on CPU 0-3: something else writes it, too')


def test_nothing_can_be_written_while_registers_are_compared(node, slurm):
    masks = []
    slurm.job('prolog', 42)
    node.before_batch.append(lambda: masks.append(any(node.active().values())))
    slurm.job('epilog', 42)
    assert masks == [False]


def test_counters_and_status_are_left_alone(node, slurm):
    slurm.job('prolog', 42)
    node.set_register(0xC1, 7)
    node.set_register(0x1B1, 0xAAA)
    assert slurm.job('epilog', 42) == 0
    assert (node.register(0xC1), node.register(0x1B1)) == (7, 0xAAA)


def test_counters_stay_alone_where_no_list_says_what_they_are(node, slurm):
    node.put('/etc/msr-safe/profiles/power', '0xC2 0xFFFF # IA32_PMC1 (counter)\n0x610 0xFF # MSR_PKG_POWER_LIMIT\n')
    slurm.job('prolog', 42, '--profile=power')
    node.set_register(0xC2, 7)
    node.set_register(POWER_LIMIT, 7)
    node.put(SETTINGS, 'nonsense')
    assert slurm.job('epilog', 42) == 0
    assert (node.register(0xC2), node.register(POWER_LIMIT)) == (7, 0)


SELECT, OS, COUNTS_CYCLES = 0x186, 1 << 17, 0x43003C


def test_counters_of_a_job_count_for_users_only(node, slurm):
    """The bit is left over from the kernel's own events, and no list lets users write it."""
    node.put('/etc/msr-safe/profiles/power', '0x186 0xFF45FFFF # IA32_PERFEVTSEL0\n')
    for number in (42, 43):
        node.set_register(SELECT, COUNTS_CYCLES | OS)
        assert slurm.job('prolog', number, '--profile=power') == 0
        assert node.register(SELECT) & OS == 0
        slurm.job('epilog', number)


@pytest.mark.parametrize('address', [0x186, 0x199, 0x774, 0xC00102B3])
def test_what_the_kernel_writes_between_jobs_is_its_own(node, slurm, address):
    node.put('/etc/msr-safe/profiles/power', '0x%X 0xFFFF\n' % address)
    slurm.command('baseline')
    node.set_register(address, 0x1800)
    slurm.job('prolog', 42, '--profile=power')
    assert node.register(address) == 0x1800
    node.set_register(address, 0x0A00)
    assert slurm.job('epilog', 42) == 0
    assert node.register(address) == 0x1800


@pytest.mark.parametrize('address', [0x186, 0x774])
def test_what_a_job_wrote_and_no_epilog_could_bring_back_is_not_the_kernel_s(node, slurm, address):
    slurm.configure(prolog_failure='tolerate', epilog_failure='tolerate')
    node.put('/etc/msr-safe/profiles/power', '0x%X 0xFFFF\n' % address)
    slurm.command('baseline')
    node.set_register(address, 0x1800)
    slurm.job('prolog', 42, '--profile=power')
    node.set_register(address, 0x0A00)
    node.stuck.add(address)
    slurm.job('epilog', 42)
    slurm.job('prolog', 43)
    slurm.job('epilog', 43)
    node.stuck.clear()
    slurm.job('prolog', 44)
    assert node.register(address) == 0x1800


def test_without_the_baseline_of_its_prolog_a_job_s_registers_become_none(node, slurm, capsys):
    """Somebody removed it meanwhile."""
    slurm.job('prolog', 42, '--profile=power')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    baseline = node.get(BASELINE)
    node.remove(BASELINE)
    assert slurm.job('epilog', 42) == 1
    assert not any(node.active()[address] for address in node.active() if address == POWER_LIMIT)
    slurm.jobs.clear()
    assert slurm.job('prolog', 43) == 1
    assert 'There is no baseline' in capsys.readouterr().out
    assert not node.has(BASELINE)
    node.put(BASELINE, baseline)
    assert slurm.job('prolog', 44) == 0
    assert node.register(MISC_ENABLE) == 0


def test_an_epilog_that_is_run_again_has_something_to_undo(node, slurm):
    slurm.job('prolog', 42)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    baseline = node.get(BASELINE)
    node.put(BASELINE, 'nonsense')
    assert slurm.job('epilog', 42) == 1
    node.put(BASELINE, baseline)
    assert slurm.job('epilog', 42) == 0
    assert node.register(MISC_ENABLE) == 0
    assert records.read_records(node.machine) == {}


def test_names_cannot_lead_out_of_the_directory(node, slurm):
    os.makedirs(node.path(RUN), mode=0o700)
    node.put(RUN + '/..job', '{}')
    assert records.read_records(node.machine) == {}


# What dies or is damaged meanwhile


def test_a_prolog_that_died_before_its_list_was_in_force_is_ended_by_the_next_run(node, slurm):
    slurm.job('prolog', 42, '--profile=power', restart_count=0)
    power = node.active()
    node.activate('')
    slurm.job('prolog', 42, '--profile=power', restart_count=0)
    assert node.active() == power


def test_registers_come_back_although_nothing_can_be_noted(node, slurm):
    """/run is full."""
    slurm.job('prolog', 42, restart_count=0)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    os.mkdir(node.path(records.ENDED + '~'))
    assert slurm.job('epilog', 42) == 1
    assert node.register(MISC_ENABLE) == 0
    assert records.read_records(node.machine) == {}
    assert slurm.saw('Cannot write /run/msr-safe/jobs/ended')


@pytest.mark.parametrize('policy', ['drain', 'tolerate'])
def test_where_no_record_can_be_made_the_node_is_drained_with_the_reason(node, slurm, policy, monkeypatch):
    slurm.configure(prolog_failure=policy)
    make = os.mkdir

    def mkdir(path, *rest, **options):
        if path == node.path(RUN + '/42'):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        make(path, *rest, **options)

    monkeypatch.setattr(records.os, 'mkdir', mkdir)
    assert slurm.job('prolog', 42) == (policy == 'drain')
    assert slurm.saw('No space left on device') == (policy == 'drain')


@pytest.mark.parametrize('policy', ['drain', 'tolerate'])
@pytest.mark.parametrize('when', ['prolog', 'epilog'])
def test_where_the_lock_cannot_be_made_the_node_is_drained_with_the_reason(node, slurm, policy, when):
    slurm.configure(prolog_failure=policy, epilog_failure=policy)
    os.makedirs(node.path(RUN), mode=0o700)
    os.symlink('/etc/passwd', node.path(records.LOCK))
    assert slurm.job(when, 42) == (policy == 'drain')
    assert slurm.saw('state=drain') == (policy == 'drain')


@pytest.mark.parametrize('text', ['null', '5', '{}', '[1]', '[{}]', '[{"address": 1}]', '"x"', 'x'])
def test_a_damaged_note_of_what_is_stuck_hinders_nobody(node, slurm, text):
    os.makedirs(node.path(RUN), mode=0o700)
    node.put(records.STUCK, text)
    assert slurm.command('check') in (0, 1)
    assert slurm.job('prolog', 42) == 0
    assert not node.has(records.STUCK)


def test_a_report_on_a_node_without_its_baseline_is_an_error(node, slurm, capsys):
    slurm.job('prolog', 42)
    node.remove(BASELINE)
    assert slurm.command('report', '--job=42') == 1
    assert 'There is no baseline' in capsys.readouterr().err


def test_a_damaged_list_of_a_job_lets_it_do_nothing(node, slurm):
    slurm.configure(shared='last')
    slurm.job('prolog', 42)
    node.put(RUN + '/42/list', b'0x000001\xff\n')
    slurm.job('prolog', 43)
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert slurm.job('epilog', 43) == 0
    assert node.active() == {}
    assert slurm.job('epilog', 42) == 0
    assert node.register(MISC_ENABLE) == 0


def test_all_that_a_prolog_may_wait_for_is_what_slurm_is_to_allow(node, slurm, monkeypatch):
    waits = []

    def lock(machine, patience=records.PATIENCE):
        waits.append(patience)
        return records.jobs_locked(machine, patience)

    monkeypatch.setattr(msr_job, 'jobs_locked', lock)
    slurm.job('prolog', 42)
    assert sum(waits) + msr_job.EPILOGS_TIME + COMMAND_TIME <= LONGEST
