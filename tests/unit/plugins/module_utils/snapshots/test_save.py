# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import json
import os
import stat

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils import machine as machine_module
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of
from ansible_collections.hpc.msr_safe.plugins.module_utils.snapshots import save as save_module
from ansible_collections.hpc.msr_safe.plugins.module_utils.snapshots.save import plan_save, save, take_snapshot
from ansible_collections.hpc.msr_safe.plugins.module_utils.snapshots.selection import EVERYTHING
from ansible_collections.hpc.msr_safe.plugins.module_utils.snapshots.snapshot import checksum
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    COUNTER,
    MISC_ENABLE,
    THERMAL,
    TURBO_OFF,
)

PATH = '/var/lib/site/n1.json'


def save_now(node, path=PATH, selection=EVERYTHING, generations=0, overwrite=False):
    """Save as the commands do; return whether the file was written."""
    before, after = plan_save(node.machine, path, take_snapshot(node.machine, selection), overwrite, selection)
    if before != after:
        save(node.machine, path, after, generations)
    return before != after


def test_saves_every_writable_register_of_every_cpu_in_one_batch(node):
    node.set_register(MISC_ENABLE, TURBO_OFF, cpus=[1])
    snapshot = take_snapshot(node.machine)
    assert sorted(snapshot['registers']) == ['0x000000C1', '0x000001A0', '0x000001A4', '0x000001B1']
    assert snapshot['registers']['0x000001A0']['values'] == {
        '0x0000000000000000': '0,2-3',
        '0x0000004000000000': '1',
    }
    assert len(node.batches) == 1
    assert len(node.batches[0]) == 4 * 4


def test_saves_the_cpus_that_are_online(node):
    node.set_online('0,2')
    snapshot = take_snapshot(node.machine)
    assert snapshot['cpu']['online'] == '0,2'
    assert snapshot['registers']['0x000001A0']['values'] == {'0x0000000000000000': '0,2'}


def test_keeps_what_could_not_be_read(node):
    node.faults.add((3, MISC_ENABLE))
    register = take_snapshot(node.machine)['registers']['0x000001A0']
    assert register['errors'] == {'the processor faulted: it has no such register, or refuses the value': '3'}
    assert register['values'] == {'0x0000000000000000': '0-2'}


@pytest.mark.parametrize('text', ['', '0x10 0x0\n'])
def test_a_list_without_writable_registers_is_an_error(node, text):
    node.activate(text)
    with pytest.raises(MsrSafeError, match='There is nothing to save'):
        take_snapshot(node.machine)


def test_without_the_batch_device_nothing_is_saved(node):
    node.remove('/dev/cpu/msr_batch')
    with pytest.raises(MsrSafeError, match='/dev/cpu/msr_batch is missing'):
        save_now(node)
    assert not node.has(PATH)


def test_without_knowing_the_cpus_nothing_is_saved(node):
    node.remove('/sys/devices/system/cpu/online')
    with pytest.raises(MsrSafeError):
        take_snapshot(node.machine)


def test_only_root_may_read_the_file(node):
    assert save_now(node)
    assert stat.S_IMODE(os.stat(node.path(PATH)).st_mode) == 0o600


def test_saving_the_same_again_leaves_the_file(node):
    save_now(node)
    saved = json.loads(node.get(PATH))
    before = dict(saved, created='2020-01-01T00:00:00Z')
    node.put(PATH, node.get(PATH).replace(saved['created'], before['created']))
    rewrite_checksum(node)
    text = node.get(PATH)
    assert not save_now(node)
    assert node.get(PATH) == text


def rewrite_checksum(node):
    saved = json.loads(node.get(PATH))
    node.put(PATH, node.get(PATH).replace(saved['sha256'], checksum(saved)))


def test_saving_other_values_replaces_the_file(node):
    save_now(node)
    node.set_register(MISC_ENABLE, TURBO_OFF, cpus=[2])
    assert save_now(node)
    assert '"0x0000004000000000": "2"' in node.get(PATH)


def test_bits_that_no_restore_writes_may_move(node):
    node.set_register(THERMAL, 0x55, cpus=[2])
    save_now(node)
    text = node.get(PATH)
    node.set_register(THERMAL, 0x1055)
    node.set_register(MISC_ENABLE, 1)
    assert not save_now(node)
    assert node.get(PATH) == text
    # Neither does a log that hardware sets, nor a counter, unless somebody asks for them
    node.set_register(THERMAL, 0x1057, cpus=[1])
    node.set_register(COUNTER, 12345)
    assert not save_now(node)
    for asked in ({'registers': ('IA32_PACKAGE_THERM_STATUS',)}, {'kinds': ('status',)}):
        assert save_now(node, selection=EVERYTHING._replace(**asked))
        assert '"0x0000000000001057": "1"' in node.get(PATH)
        node.set_register(THERMAL, 0x1055, cpus=[1])
        assert save_now(node, selection=EVERYTHING._replace(**asked))
        node.set_register(THERMAL, 0x1057, cpus=[1])


@pytest.mark.parametrize('content', [b'', b'notes of mine\n', b'{"a": 1}', b'\xff\xfe\x00', b'[]'])
def test_what_is_no_snapshot_is_not_overwritten(node, content):
    node.put(PATH, content)
    with pytest.raises(MsrSafeError) as caught:
        save_now(node)
    assert PATH in str(caught.value)
    assert 'It is not overwritten' in str(caught.value)
    with open(node.path(PATH), 'rb') as stream:
        assert stream.read() == content


def test_an_edited_snapshot_is_not_overwritten(node):
    save_now(node)
    node.put(PATH, node.get(PATH).replace('"host": "n1"', '"host": "n2"'))
    with pytest.raises(MsrSafeError, match='It is not overwritten'):
        save_now(node)


def test_a_directory_is_not_overwritten(node):
    node.put(PATH + '/inner', '')
    with pytest.raises(MsrSafeError, match='Is a directory'):
        save_now(node)


@pytest.mark.parametrize('step', ['rename', 'fsync'])
def test_a_write_that_fails_leaves_the_saved_file(node, monkeypatch, step):
    save_now(node)
    text = node.get(PATH)
    node.set_register(MISC_ENABLE, TURBO_OFF)

    def fail(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(machine_module.os, step, fail)
    with pytest.raises(MsrSafeError, match='No space left on device'):
        save_now(node)
    monkeypatch.undo()
    assert node.get(PATH) == text
    assert node.names('/var/lib/site') == ['n1.json']


def test_saves_what_is_selected(node):
    selection = EVERYTHING._replace(registers=['MISC_ENABLE', '0xCE'], cpus='1-2')
    snapshot = take_snapshot(node.machine, selection)
    assert sorted(snapshot['registers']) == ['0x000000CE', '0x000001A0']
    assert (snapshot['cpus'], snapshot['cpu']['online']) == ('1-2', '0-3')
    assert [len(batch) for batch in node.batches] == [4]


def test_another_selection_is_another_snapshot(node):
    save_now(node)
    assert save_now(node, selection=EVERYTHING._replace(cpus='0'))


def test_keeps_generations(node):
    for value in range(5):
        node.set_register(MISC_ENABLE, value << 38)
        save_now(node, generations=3)
        assert not save_now(node, generations=3)
    assert node.names('/var/lib/site') == ['n1.json', 'n1.json.1', 'n1.json.2', 'n1.json.3']
    assert [values_in(node, PATH + end) >> 38 for end in ('', '.1', '.2', '.3')] == [4, 3, 2, 1]


def test_one_generation_is_the_last(node):
    for value in range(3):
        node.set_register(MISC_ENABLE, value << 38)
        save_now(node, generations=1)
    assert node.names('/var/lib/site') == ['n1.json', 'n1.json.1']
    assert values_in(node, PATH + '.1') == 1 << 38


def test_saves_that_fail_again_and_again_lose_no_generation(node, monkeypatch):
    """A full disk, every night."""
    for value in range(4):
        node.set_register(MISC_ENABLE, value << 38)
        save_now(node, generations=3)
    node.set_register(MISC_ENABLE, 4 << 38)
    with monkeypatch.context() as full:
        full.setattr(machine_module.os, 'fsync', no_space)
        for _night in range(3):
            with pytest.raises(MsrSafeError, match='No space left on device'):
                save_now(node, generations=3)
    save_now(node, generations=3)
    assert [values_in(node, PATH + end) >> 38 for end in ('', '.1', '.2', '.3')] == [4, 3, 2, 1]


def no_space(*_arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def values_in(node, path):
    (value,) = json.loads(node.get(path))['registers']['0x000001A0']['values']
    return int(value, 16)


def test_a_backup_that_cannot_be_kept_leaves_the_file(node, monkeypatch):
    save_now(node)
    text = node.get(PATH)
    node.set_register(MISC_ENABLE, TURBO_OFF)

    def fail(*_arguments):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(save_module.os, 'link', fail)
    with pytest.raises(MsrSafeError, match=r'(?s)backup of /var/lib/site/n1\.json.*or without backup'):
        save_now(node, generations=1)
    assert node.get(PATH) == text


def test_what_a_killed_save_left_is_removed(node):
    node.put('/var/lib/site/.n1.json.0a1b2c3f', 'half')
    node.put('/var/lib/site/.n1.json.mine', 'mine')
    node.put('/var/lib/site/.n2.json.0a1b2c3f', 'of another file')
    save_now(node)
    assert node.names('/var/lib/site') == ['.n1.json.mine', '.n2.json.0a1b2c3f', 'n1.json']


def test_the_snapshot_of_another_host_is_not_overwritten(node):
    save_now(node)
    node.put('/proc/sys/kernel/hostname', 'n2\n')
    with pytest.raises(MsrSafeError, match=r'is the snapshot of host n1, not of n2\. It is not overwritten'):
        save_now(node)


@pytest.mark.parametrize('content', [b'notes of mine\n', b'{"a": 1}'])
def test_overwrites_what_it_is_told_to(node, content):
    node.put(PATH, content)
    assert save_now(node, overwrite=True)
    assert not save_now(node)


def test_a_node_without_names_is_given_them(node):
    """So a counter is known as one, and not written back."""
    node.remove('/etc/msr-safe/approved_list')
    registers = registers_of({'family': 6, 'model': 85})
    saved = take_snapshot(node.machine, registers=registers)['registers']
    assert (saved['0x000000C1']['name'], saved['0x000000C1']['kind']) == ('IA32_PMC0', 'counter')
    assert take_snapshot(node.machine)['registers']['0x000000C1']['kind'] == 'configuration'
