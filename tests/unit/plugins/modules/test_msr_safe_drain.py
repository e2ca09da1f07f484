# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.drain import MARK, Drain
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
from ansible_collections.hpc.msr_safe.plugins.modules import msr_safe_drain
from ansible_collections.hpc.msr_safe.tests.unit.plugins.stub_scontrol import StubSlurm

OPTIONS = {'why': ['approve: activate al_0655'], 'since': None, 'timeout': 60, 'interval': 10}


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def pause(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def slurm(tmp_path):
    return StubSlurm(tmp_path / 'bin')


@pytest.fixture
def drain(slurm, clock):
    return Drain(Machine(), 'n1', str(slurm.directory), clock.pause, clock)


def begin(drain, is_check=False, **options):
    return msr_safe_drain.begin(drain, dict(OPTIONS, **options), is_check)


def wait(drain, **options):
    return msr_safe_drain.wait(drain, dict(OPTIONS, **options), False)['busy']


def end(drain, is_check=False):
    return msr_safe_drain.end(drain, OPTIONS, is_check)['done']


def test_a_node_is_drained_waited_for_and_resumed(slurm, drain, clock):
    slurm.node('n1', 'MIXED', jobs=['41', '42', '43'])
    answer = begin(drain)
    assert answer == {
        'done': [
            'drain: drain n1 in Slurm, and wait up to 60 s, as 3 jobs are on the node (approve: activate al_0655)'
        ],
        'ours': True,
        'busy': '',
        'since': 1000.0,
    }
    assert slurm.state('n1') == ('MIXED+DRAIN', 'hpc.msr_safe: approve: activate al_0655')
    assert wait(drain, since=answer['since']) == ''
    assert clock.now == 1020.0  # asked twice in vain
    assert end(drain) == ['drain: resume n1 in Slurm']
    assert slurm.state('n1') == ('IDLE', '')


def test_an_idle_node_waits_for_nothing(slurm, drain, clock):
    slurm.node('n1')
    assert begin(drain)['done'] == ['drain: drain n1 in Slurm (approve: activate al_0655)']
    assert wait(drain) == ''
    assert clock.now == 1000.0


def test_a_node_whose_jobs_do_not_end_in_time_is_given_back(slurm, drain, clock):
    slurm.node('n1', 'ALLOCATED', jobs=['42'], stays=True)
    since = begin(drain)['since']
    clock.now += 45  # others of the wave were waited for
    assert wait(drain, since=since) == 'not drained in time: job 42 is on the node'
    assert clock.now == 1060.0
    assert slurm.state('n1') == ('ALLOCATED', '')


def test_a_job_whose_epilog_runs_is_on_the_node(slurm, drain):
    slurm.node('n1', 'IDLE+COMPLETING')
    begin(drain)
    assert wait(drain) == 'not drained in time: a job of it is ending'


@pytest.mark.parametrize('reason', ['a fan is broken', 'msr-safe: job 42: not restored: 0x00000610', ''])
def test_what_others_drained_is_waited_for_and_stays_drained(slurm, drain, reason):
    slurm.node('n1', 'MIXED+DRAIN', reason, jobs=['42', '43'])
    answer = begin(drain)
    assert (answer['done'], answer['ours']) == ([], False)
    assert wait(drain) == ''
    assert end(drain) == []
    assert slurm.orders == []


def test_a_drain_that_others_took_over_is_theirs(slurm, drain):
    slurm.node('n1')
    begin(drain)
    slurm.node('n1', 'IDLE+DRAIN', 'a fan is broken')
    assert end(drain) == []
    assert slurm.state('n1')[1] == 'a fan is broken'


@pytest.mark.parametrize('state', ['DOWN', 'DOWN*', 'DOWN*+NOT_RESPONDING', 'IDLE+FAIL'])
def test_a_node_that_is_down_is_neither_drained_nor_put_in_service(slurm, drain, state):
    slurm.node('n1', state, 'no answer')
    assert begin(drain)['done'] == []
    assert wait(drain) == ''
    assert end(drain) == []
    assert slurm.orders == []


def test_a_node_that_goes_down_meanwhile_stays_down(slurm, drain):
    slurm.node('n1')
    begin(drain)
    slurm.node('n1', 'DOWN*+DRAIN', MARK + 'x')
    assert end(drain) == ['drain: resume n1 in Slurm']
    assert slurm.state('n1') == ('DOWN*', '')


def test_a_node_that_somebody_resumes_meanwhile_is_not_had(slurm, drain):
    slurm.node('n1', 'MIXED', jobs=['42'], stays=True)
    begin(drain)
    slurm.node('n1', 'MIXED', jobs=['42'])
    assert wait(drain) == 'not drained in time: somebody else resumed it in Slurm'


def test_what_an_earlier_run_left_drained_is_known_and_resumed(slurm, drain):
    slurm.node('n1', 'IDLE+DRAIN', MARK + 'load: load msr_safe')
    answer = begin(drain, why=[])
    assert (answer['ours'], answer['done']) == (True, [])
    assert end(drain) == ['drain: resume n1 in Slurm']
    assert slurm.state('n1') == ('IDLE', '')


def test_a_node_that_needs_nothing_is_only_looked_at(slurm, drain):
    slurm.node('n1', 'MIXED', jobs=['42'])
    answer = begin(drain, why=[])
    assert (answer['ours'], answer['done'], answer['busy']) == (False, [], '')
    assert slurm.orders == []


def test_check_mode_says_what_it_would_drain_and_wait_for(slurm, drain):
    slurm.node('n1', 'MIXED', jobs=['42'])
    answer = begin(drain, is_check=True)
    assert answer['done'] == [
        'drain: drain n1 in Slurm, and wait up to 60 s, as job 42 is on the node (approve: activate al_0655)'
    ]
    assert slurm.orders == []
    assert slurm.state('n1') == ('MIXED', '')


def test_check_mode_says_what_it_would_resume(slurm, drain):
    slurm.node('n1', 'IDLE+DRAIN', MARK + 'x')
    assert end(drain, is_check=True) == ['drain: resume n1 in Slurm']
    slurm.node('n1', 'IDLE+DRAIN', 'a fan is broken')
    assert end(drain, is_check=True) == []
    assert slurm.orders == []


def test_while_slurm_is_away_the_node_is_not_had(slurm, drain, clock):
    slurm.node('n1')
    slurm.put('away')
    assert 'Slurm does not answer' in begin(drain)['busy']
    slurm.take('away')
    since = begin(drain)['since']
    slurm.put('away')
    assert 'Unable to contact slurm controller' in wait(drain, since=since)
    assert clock.now == 1060.0
    with pytest.raises(MsrSafeError, match='Slurm does not answer'):
        end(drain)
    # Nobody forgot it: the next run knows it
    slurm.take('away')
    assert begin(drain, why=[])['ours']


def test_slurm_may_be_away_for_a_moment(slurm, drain, clock):
    slurm.node('n1')
    since = begin(drain)['since']
    slurm.put('away')
    drain.pause = lambda seconds: (clock.pause(seconds), slurm.take('away'))
    assert wait(drain, since=since) == ''
    assert clock.now == 1010.0


def test_a_node_that_slurm_does_not_know_is_an_error_with_a_remedy(slurm, drain):
    with pytest.raises(MsrSafeError, match=r'(?s)Slurm knows no node n1.*msr_safe_drain_node'):
        begin(drain)


def test_orders_that_slurm_does_not_take_are_an_error_with_a_remedy(slurm, drain):
    slurm.node('n1')
    slurm.put('denied')
    with pytest.raises(MsrSafeError, match=r'(?s)does not let this user drain n1.*msr_safe_drain_become'):
        begin(drain)


def test_a_host_without_scontrol_is_an_error_with_a_remedy(tmp_path):
    drain = Drain(Machine(), 'n1', str(tmp_path))
    with pytest.raises(MsrSafeError, match=r'(?s)no command scontrol.*msr_safe_drain_host'):
        begin(drain)


def test_a_reason_is_one_line_that_is_not_too_long(slurm, drain):
    slurm.node('n1')
    begin(drain, why=['load: load msr_safe'] * 40)
    reason = slurm.state('n1')[1]
    assert reason.startswith(MARK)
    assert len(reason) == 200
