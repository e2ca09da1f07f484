# SPDX-License-Identifier: GPL-3.0-or-later
"""A job changes registers; the snapshot brings them back."""

import json

import pytest

testinfra_hosts = ['ssh://skylake', 'ssh://milan']

SNAPSHOT = '/root/snapshot.json'
TURBO_OFF = 1 << 38


def misc_enable(host, cpu):
    return int(host.check_output(f'modprobe msr && rdmsr -p {cpu} 0x1a0'), 16)


@pytest.fixture
def snapshot(module):
    result = module('msr_save', path=SNAPSHOT)
    assert result.succeeded, result.output
    return SNAPSHOT


def test_save_predicts_and_then_saves_once(module, host):
    host.run_expect([0], f'rm -f {SNAPSHOT}')
    assert 'CHANGED' in module('msr_save', '--check', path=SNAPSHOT).output
    assert not host.file(SNAPSHOT).exists
    assert 'CHANGED' in module('msr_save', path=SNAPSHOT).output
    assert 'SUCCESS' in module('msr_save', path=SNAPSHOT).output
    assert host.file(SNAPSHOT).mode == 0o600


def test_snapshot_is_readable_text(host, snapshot, node):
    content = json.loads(host.file(snapshot).content_string)
    assert content['format'] == 'hpc.msr_safe snapshot'
    register = content['registers']['0x000001A0']
    assert register['name'] == 'IA32_MISC_ENABLE'
    assert list(register['values'].values()) == [content['cpu']['online']]


def test_a_save_is_one_ioctl(host):
    trace = host.check_output('strace -f -e trace=ioctl msrsave /root/traced.json 2>&1 >/dev/null | grep -i 0xa2')
    assert len(trace.splitlines()) == 1, trace


def test_restore_writes_what_differs_and_nothing_else(host, node, module, snapshot, turbo_off):
    last = {'skylake': 3, 'milan': 1}[node]
    before = misc_enable(host, last)
    turbo_off(last)
    assert misc_enable(host, last) == before | TURBO_OFF

    check = module('msr_restore', '--check', '--diff', path=snapshot)
    assert check.succeeded, check.output
    assert 'CHANGED' in check.output
    assert '0x000001A0 IA32_MISC_ENABLE' in check.output
    assert f'on CPU {last}\n' in check.output
    assert misc_enable(host, last) == before | TURBO_OFF

    restored = module('msr_restore', path=snapshot)
    assert restored.succeeded, restored.output
    assert f'"cpus": "{last}"' in restored.output
    assert restored.output.count('"before"') == 1
    assert misc_enable(host, last) == before

    again = module('msr_restore', path=snapshot)
    assert 'SUCCESS' in again.output
    assert '"restored": []' in again.output


def test_playbooks_save_and_restore(host, playbook, node, turbo_off):
    assert playbook('save').succeeded
    turbo_off(0)
    result = playbook('restore')
    assert result.succeeded, result.output
    assert result.changed(node) == 1
    assert playbook('restore').changed(node) == 0


def test_the_command_on_the_node_does_the_same(host, snapshot, turbo_off):
    before = misc_enable(host, 0)
    turbo_off(0)
    said = host.check_output(f'msrsave -r -n {snapshot}')
    assert 'IA32_MISC_ENABLE' in said
    assert misc_enable(host, 0) == before | TURBO_OFF
    host.run_expect([0], f'msrsave -r {snapshot}')
    assert misc_enable(host, 0) == before
    assert 'every register holds what was saved' in host.check_output(f'msrsave -r {snapshot}')


def test_a_register_that_does_not_take_its_value_is_named(host, module, snapshot, edit):
    """QEMU drops writes to most registers, so a value that was never in one cannot come back."""

    def set_one_bit(content):
        for address, register in content['registers'].items():
            if register['kind'] == 'configuration' and address != '0x000001A0':
                mask = int(register['write_mask'], 16)
                register['values'] = {hex(mask & -mask): '0-1'}
                return

    edit(snapshot, '/root/edited.json', set_one_bit)
    result = module('msr_restore', path='/root/edited.json', accept=['edited_file'])
    assert not result.succeeded
    assert 'the register did not take the value' in result.output
    assert host.run('msrsave -r --accept edited-file /root/edited.json').rc == 3
