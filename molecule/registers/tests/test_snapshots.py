# SPDX-License-Identifier: GPL-3.0-or-later
"""msr_save and msr_restore beyond save and restore: selections, generations, and files on the controller."""

import json

import pytest
from steps import does, does_as_predicted, predicts, shell, turning_turbo_off

testinfra_hosts = ['ssh://skylake']

TURBO_OFF = 1 << 38
PATH = '/root/site/snapshot.json'


@pytest.fixture(autouse=True)
def clean(host, snapshot):
    host.run_expect([0], 'rm -rf /root/site')


def registers_of(host, path=PATH):
    return json.loads(host.file(path).content_string)['registers']


def test_saves_what_is_selected(on_node, host):
    answer = on_node(
        does_as_predicted('msr_save', path=PATH, registers=['MISC_ENABLE', '0xCE'], cpus='one_per_package')
    )
    assert (answer['registers'], answer['cpus']) == (2, '0,2')
    assert registers_of(host)['0x000001A0']['name'] == 'IA32_MISC_ENABLE'
    assert [*registers_of(host)['0x000000CE']['values'].values()] == ['0,2']


@pytest.mark.slow
def test_saves_kinds(on_node, host):
    assert on_node(predicts('msr_save', path=PATH, kinds=['status'])).succeeded
    assert {register['kind'] for register in registers_of(host).values()} == {'status'}
    assert on_node(predicts('msr_save', path=PATH, kinds=['status'], read_only=True))['changed']


@pytest.mark.slow
def test_keeps_generations(on_node, host, turbo_off):
    for cpu in range(4):
        turbo_off(cpu)
        saved, again = on_node(*[predicts('msr_save', path=PATH, backup=2)] * 2)
        assert not again['changed']
    assert saved['backup_file'] == PATH + '.1'
    assert host.check_output('ls -A /root/site').split() == ['snapshot.json', 'snapshot.json.1', 'snapshot.json.2']
    assert [
        [cpus for value, cpus in registers_of(host, path)['0x000001A0']['values'].items() if int(value, 16) & TURBO_OFF]
        for path in (PATH, PATH + '.1', PATH + '.2')
    ] == [['0-3'], ['0-2'], ['0-1']]


def test_restores_what_is_selected(on_node, rdmsr):
    before = rdmsr(0)
    _saved, _job, _other_job, restored = on_node(
        does_as_predicted('msr_save', path=PATH),
        shell(turning_turbo_off(1)),
        shell(turning_turbo_off(2)),
        predicts('msr_restore', path=PATH, registers=['MISC_ENABLE'], cpus='2-3'),
    )
    assert [(row['name'], row['cpus']) for row in restored['restored']] == [('IA32_MISC_ENABLE', '2')]
    assert restored['summary'] == {'registers': 1, 'cpus': '2-3', 'writes': 1, 'problems': 0, 'overruled': 0}
    assert (rdmsr(1), rdmsr(2)) == (before | TURBO_OFF, before)


def test_travels_to_the_controller_and_back(on_node, rdmsr, tmp_path, host):
    before = rdmsr(3)
    saved, again, _job, restored = on_node(
        predicts('msr_save', controller_directory=str(tmp_path)),
        does_as_predicted('msr_save', controller_directory=str(tmp_path)),
        shell(turning_turbo_off(3)),
        predicts('msr_restore', controller_directory=str(tmp_path)),
    )
    assert saved['controller_path'] == str(tmp_path / 'skylake.json')
    assert 'snapshot' not in saved
    assert (tmp_path / 'skylake.json').stat().st_mode & 0o777 == 0o600
    assert not again['changed']
    assert [row['cpus'] for row in restored['restored']] == ['3']
    assert 'format' not in restored.output
    assert rdmsr(3) == before
    assert not host.file('/root/site').exists


@pytest.fixture(scope='module')
def refusals(on_node, host, first_snapshot, tmp_path_factory):
    """What becomes of files on the controller that are not this node's snapshot: (directory, their text, answer)."""
    mine = host.file('/root/snapshot.json').content_string
    files = {
        'msr_save': mine.replace('"host": "skylake"', '"host": "other"'),
        'msr_restore': '{"format": ',
    }
    assert files['msr_save'] != mine
    directories = {module: tmp_path_factory.mktemp(module) for module in files}
    for module, text in files.items():
        (directories[module] / 'skylake.json').write_text(text)
    answers = on_node(*(does(module, controller_directory=str(directories[module])) for module in files))
    return {module: (directories[module], files[module], answer) for module, answer in zip(files, answers)}


def test_another_nodes_file_is_not_overwritten(refusals):
    directory, theirs, answer = refusals['msr_save']
    assert not answer.succeeded
    assert 'not overwritten' in answer['msg']
    assert (directory / 'skylake.json').read_text() == theirs


def test_a_damaged_snapshot_on_the_controller(refusals):
    directory, _text, answer = refusals['msr_restore']
    assert f'The snapshot from {directory}/skylake.json on the controller is damaged' in answer['msg']


def test_no_snapshot_on_the_controller(on_node, tmp_path):
    answer = on_node(does('msr_restore', controller_directory=str(tmp_path)))
    assert f'There is no snapshot at {tmp_path}/skylake.json on the controller' in answer['msg']
