# SPDX-License-Identifier: GPL-3.0-or-later
"""CPUs that are offline, for real: holes in the numbering, threads off, a CPU that goes and comes back."""

import json

import pytest
from steps import checks, does, does_as_predicted, predicts

testinfra_hosts = ['ssh://skylake']

TURBO_OFF = 1 << 38
PATH = '/root/holes.json'


@pytest.mark.slow
def test_a_hole_in_the_numbering(on_node, offline, host, snapshot):
    with offline(1):
        saved, restored, read, changed = on_node(
            predicts('msr_save', path=PATH, overwrite=True),
            predicts('msr_restore', path=PATH),
            predicts('msr_info', registers=['MISC_ENABLE']),
            predicts('msr', register='MISC_ENABLE', field='TURBO_MODE_DISABLE', value=True),
        )
    assert saved['cpus'] == '0,2-3'
    assert restored['changed'] is False
    (reading,) = read['registers']['MISC_ENABLE']['readings']
    assert reading['cpus'] == '0,2-3'
    assert [row['cpus'] for row in changed['changes']] == ['0,2-3']
    assert json.loads(host.file(PATH).content_string)['cpu']['online'] == '0,2-3'


def test_an_offline_cpu_that_is_named_is_refused(on_node, offline):
    with offline(3):
        answers = on_node(
            does('msr_info', registers=['MISC_ENABLE'], cpus='2-3'),
            does('msr_save', path=PATH, cpus='2-3'),
            does('msr', register='MISC_ENABLE', field='TURBO_MODE_DISABLE', value=1, cpus='2-3'),
        )
    for answer in answers:
        assert not answer.succeeded
        assert 'CPU 3 is not online' in answer['msg']


def test_threads_off(on_node, host, snapshot):
    control = '/sys/devices/system/cpu/smt/control'
    host.run_expect([0], f'echo off > {control}')
    try:
        online = host.check_output('cat /sys/devices/system/cpu/online')
        assert online == '0,2'
        saved, restored, read = on_node(
            does_as_predicted('msr_save', path=PATH, overwrite=True),
            does_as_predicted('msr_restore', path=PATH),
            does_as_predicted('msr_info', registers=['MISC_ENABLE'], cpus='one_per_core'),
        )
    finally:
        host.run_expect([0], f'echo on > {control} && udevadm settle')
    assert saved['cpus'] == '0,2'
    assert restored['summary']['cpus'] == '0,2'
    assert read['registers']['MISC_ENABLE']['readings'][0]['cpus'] == '0,2'


def test_a_cpu_that_goes_offline_after_the_save_and_comes_back(on_node, offline, host, rdmsr, snapshot, turbo_off):
    before = rdmsr(0)
    turbo_off(0)
    turbo_off(3)
    with offline(3):
        answers = on_node(checks('msr_restore', path=snapshot), does('msr_restore', path=snapshot))
        for answer in answers:
            assert not answer.succeeded
            assert {(row['cpus'], row['error']) for row in answer['problems']} == {('3', 'CPU is offline')}
            assert [row['cpus'] for row in answer['restored']] == ['0']
        assert rdmsr(0) == before
        assert host.run(f'msrsave -r {snapshot}').rc == 3
        assert host.run(f'msrsave -r --allow-partial {snapshot}').rc == 0
        assert on_node(does('msr_restore', path=snapshot, allow_partial=True)).succeeded
    after_return = rdmsr(3)
    answer = on_node(does('msr_restore', path=snapshot))
    assert answer.succeeded
    assert bool(answer['restored']) == bool(after_return & TURBO_OFF)
    assert rdmsr(3) == before


@pytest.mark.slow
def test_a_cpu_that_came_online_after_the_save_is_named(on_node, offline, snapshot):
    with offline(2):
        assert on_node(does('msr_save', path=PATH, overwrite=True)).succeeded
    answer = on_node(does('msr_restore', path=PATH))
    assert not answer.succeeded
    assert {(row['cpus'], row['error']) for row in answer['problems']} == {
        ('2', 'not in the snapshot: the CPU was offline when it was taken')
    }


@pytest.mark.slow
@pytest.mark.parametrize('count', [30])
def test_cpus_that_come_and_go_meanwhile(host, snapshot, count):
    """Whatever happens between two system calls: an exit status and words, never a traceback."""
    switch = (
        'for i in 0 1 2 3 4 5 6 7 8 9; do for o in 0 1; do echo $o >/sys/devices/system/cpu/cpu3/online; done; done'
    )
    script = (
        f'({switch}) & for i in $(seq {count}); do msrsave --overwrite {PATH} 2>>/root/said; echo $? >>/root/codes; '
        f'msrsave -r {snapshot} 2>>/root/said; echo $? >>/root/codes; done; wait'
    )
    host.run_expect([0], 'rm -f /root/said /root/codes')
    host.run_expect([0], f"bash -c '{script}'")
    assert set(host.file('/root/codes').content_string.split()) <= {'0', '3'}
    assert 'Traceback' not in host.file('/root/said').content_string
    assert host.check_output('cat /sys/devices/system/cpu/online') == '0-3'
