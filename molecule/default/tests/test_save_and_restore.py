# SPDX-License-Identifier: GPL-3.0-or-later
"""A job changes registers; the snapshot brings them back. Both nodes go through it at once."""

import json

import pytest
from steps import BRIEF, checks, does, playbook, shell, turning_turbo_off

testinfra_hosts = ['ssh://skylake', 'ssh://milan']

SNAPSHOT = '/root/snapshot.json'
TURBO_OFF = 1 << 38
LAST_CPU = '$(($(nproc) - 1))'
READ_LAST_CPU = f'modprobe msr && rdmsr -p {LAST_CPU} 0x1a0'


@pytest.fixture(scope='module')
def happened(everywhere):
    """Save, change, restore: {node: {step: its outcome}}."""
    return everywhere(
        no_snapshot=shell(f'rm -f {SNAPSHOT}'),
        predicted_save=checks('msr_save', path=SNAPSHOT),
        files_after_prediction=shell('ls /root'),
        save=does('msr_save', path=SNAPSHOT),
        second_save=does('msr_save', path=SNAPSHOT),
        snapshot=shell(f'cat {SNAPSHOT}'),
        value_at_save=shell(READ_LAST_CPU),
        job=shell(turning_turbo_off(LAST_CPU)),
        value_after_job=shell(READ_LAST_CPU),
        predicted_restore=checks('msr_restore', path=SNAPSHOT),
        value_after_prediction=shell(READ_LAST_CPU),
        restore=does('msr_restore', path=SNAPSHOT),
        value_after_restore=shell(READ_LAST_CPU),
        second_restore=does('msr_restore', path=SNAPSHOT),
    )


@pytest.fixture
def here(happened, node):
    return happened[node]


@pytest.fixture
def once(node):
    """In the short run, on one node."""
    if BRIEF and node != 'skylake':
        pytest.skip('slow: not on both nodes with MSR_SAFE_BRIEF=1')


def test_save_predicts_and_then_saves_once(here, host):
    assert here['predicted_save']['changed']
    assert 'snapshot.json' not in here['files_after_prediction'].split()
    assert here['save']['changed']
    assert not here['second_save']['changed']
    assert host.file(SNAPSHOT).mode == 0o600


def test_snapshot_is_readable_text(here):
    content = json.loads(here['snapshot'])
    assert content['format'] == 'hpc.msr_safe snapshot'
    register = content['registers']['0x000001A0']
    assert register['name'] == 'IA32_MISC_ENABLE'
    assert list(register['values'].values()) == [content['cpu']['online']]


def test_a_save_is_one_ioctl(once, host):
    trace = host.check_output('strace -f -e trace=ioctl msrsave /root/traced.json 2>&1 >/dev/null | grep -i 0xa2')
    assert len(trace.splitlines()) == 1, trace


def test_restore_writes_what_differs_and_nothing_else(here, node):
    last = {'skylake': 3, 'milan': 1}[node]
    before = here['value_at_save']
    changed = f'{int(before, 16) | TURBO_OFF:x}'
    assert before != changed == here['value_after_job'] == here['value_after_prediction']

    prediction = here['predicted_restore']
    assert prediction['changed']
    assert '0x000001A0 IA32_MISC_ENABLE' in prediction['diff']['before']
    assert f'on CPU {last}\n' in prediction['diff']['before']

    restore = here['restore']
    assert restore.succeeded
    assert [row['cpus'] for row in restore['restored']] == [str(last)]
    assert here['value_after_restore'] == before

    assert not here['second_restore']['changed']
    assert here['second_restore']['restored'] == []


@pytest.fixture(scope='module')
def playbooks(everywhere):
    return everywhere(
        save=playbook('save'),
        job=shell(turning_turbo_off(0)),
        restore=playbook('restore'),
        second_restore=playbook('restore'),
    )


def test_playbooks_save_and_restore(playbooks, node):
    save, restore, second_restore = (playbooks[node][name] for name in ('save', 'restore', 'second_restore'))
    assert [answer.succeeded for answer in (*save, *restore, *second_restore)] == [True] * 3
    assert [answer['changed'] for answer in (*restore, *second_restore)] == [True, False]


def test_the_command_on_the_node_does_the_same(host, here, turbo_off):
    before = host.check_output('rdmsr -p 0 0x1a0')
    turbo_off(0)
    said = host.check_output(f'msrsave -r -n {SNAPSHOT}')
    assert 'IA32_MISC_ENABLE' in said
    assert host.check_output('rdmsr -p 0 0x1a0') == f'{int(before, 16) | TURBO_OFF:x}'
    host.run_expect([0], f'msrsave -r {SNAPSHOT}')
    assert host.check_output('rdmsr -p 0 0x1a0') == before
    assert 'every register holds what was saved' in host.check_output(f'msrsave -r {SNAPSHOT}')


def test_a_register_that_does_not_take_its_value_is_named(once, host, here, module, edit):
    """QEMU drops writes to most registers, so a value that was never in one cannot come back."""

    def set_one_bit(content):
        for address, register in content['registers'].items():
            if register['kind'] == 'configuration' and address != '0x000001A0':
                mask = int(register['write_mask'], 16)
                register['values'] = {hex(mask & -mask): '0-1'}
                return

    edit(SNAPSHOT, '/root/edited.json', set_one_bit)
    said = host.run('msrsave -r --accept edited-file /root/edited.json')
    assert said.rc == 3
    assert 'the register did not take the value' in said.stderr
    result = module('msr_restore', path='/root/edited.json', accept=['edited_file'])
    assert not result.succeeded
    assert 'the register did not take the value' in result.output
