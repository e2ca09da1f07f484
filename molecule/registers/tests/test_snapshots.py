# SPDX-License-Identifier: GPL-3.0-or-later
"""msr_save and msr_restore beyond save and restore: selections, generations, and files on the controller."""

import json

import pytest

testinfra_hosts = ['ssh://skylake']

TURBO_OFF = 1 << 38
PATH = '/root/site/snapshot.json'


@pytest.fixture(autouse=True)
def clean(host, snapshot):
    host.run_expect([0], 'rm -rf /root/site')


def registers_of(host, path=PATH):
    return json.loads(host.file(path).content_string)['registers']


def test_saves_what_is_selected(predicted, host):
    answer = predicted('msr_save', path=PATH, registers=['MISC_ENABLE', '0xCE'], cpus='one_per_package')
    assert (answer['registers'], answer['cpus']) == (2, '0,2')
    assert registers_of(host)['0x000001A0']['name'] == 'IA32_MISC_ENABLE'
    assert [*registers_of(host)['0x000000CE']['values'].values()] == ['0,2']


@pytest.mark.slow
def test_saves_kinds(predicted, host):
    assert predicted('msr_save', path=PATH, kinds=['status']).succeeded
    assert {register['kind'] for register in registers_of(host).values()} == {'status'}
    assert predicted('msr_save', path=PATH, kinds=['status'], read_only=True)['changed']


@pytest.mark.slow
def test_keeps_generations(predicted, host, turbo_off):
    for cpu in range(4):
        turbo_off(cpu)
        answer = predicted('msr_save', path=PATH, backup=2)
        assert not predicted('msr_save', path=PATH, backup=2)['changed']
    assert answer['backup_file'] == PATH + '.1'
    assert host.check_output('ls -A /root/site').split() == ['snapshot.json', 'snapshot.json.1', 'snapshot.json.2']
    assert [
        [cpus for value, cpus in registers_of(host, path)['0x000001A0']['values'].items() if int(value, 16) & TURBO_OFF]
        for path in (PATH, PATH + '.1', PATH + '.2')
    ] == [['0-3'], ['0-2'], ['0-1']]


def test_restores_what_is_selected(predicted, rdmsr, turbo_off, host):
    assert predicted('msr_save', path=PATH).succeeded
    before = rdmsr(0)
    turbo_off(1)
    turbo_off(2)
    answer = predicted('msr_restore', path=PATH, registers=['MISC_ENABLE'], cpus='2-3')
    assert [(row['name'], row['cpus']) for row in answer['restored']] == [('IA32_MISC_ENABLE', '2')]
    assert answer['summary'] == {'registers': 1, 'cpus': '2-3', 'writes': 1, 'problems': 0}
    assert (rdmsr(1), rdmsr(2)) == (before | TURBO_OFF, before)


def test_travels_to_the_controller_and_back(predicted, rdmsr, turbo_off, tmp_path, host):
    before = rdmsr(3)
    saved = predicted('msr_save', controller_directory=str(tmp_path))
    assert saved['controller_path'] == str(tmp_path / 'skylake.json')
    assert 'snapshot' not in saved
    assert (tmp_path / 'skylake.json').stat().st_mode & 0o777 == 0o600
    assert not predicted('msr_save', controller_directory=str(tmp_path))['changed']
    turbo_off(3)
    restored = predicted('msr_restore', controller_directory=str(tmp_path))
    assert [row['cpus'] for row in restored['restored']] == ['3']
    assert 'format' not in restored.output
    assert rdmsr(3) == before
    assert not host.file('/root/site').exists


def test_another_nodes_file_is_not_overwritten(call, tmp_path):
    assert call('msr_save', controller_directory=str(tmp_path)).succeeded
    path = tmp_path / 'skylake.json'
    theirs = path.read_text().replace('"host": "skylake"', '"host": "other"')
    path.write_text(theirs)
    answer = call('msr_save', controller_directory=str(tmp_path))
    assert not answer.succeeded
    assert 'not overwritten' in answer['msg']
    assert path.read_text() == theirs


def test_no_snapshot_on_the_controller(call, tmp_path):
    answer = call('msr_restore', controller_directory=str(tmp_path))
    assert f'There is no snapshot at {tmp_path}/skylake.json on the controller' in answer['msg']


def test_a_damaged_snapshot_on_the_controller(call, tmp_path):
    (tmp_path / 'skylake.json').write_text('{"format": ')
    answer = call('msr_restore', controller_directory=str(tmp_path))
    assert f'The snapshot from {tmp_path}/skylake.json on the controller is damaged' in answer['msg']
