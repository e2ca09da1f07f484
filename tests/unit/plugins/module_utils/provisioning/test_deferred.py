# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What a node remembers of the work that the role deferred there."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import deferred
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.deferred import (
    DEFERRED,
    is_remembered,
    read_deferred,
    remember_deferred,
)

LIST = {'what': 'approve: activate al_0655', 'why': 'job 42 is on the node'}
LOAD = {'what': 'load: load msr_safe', 'why': 'that is for the next boot (msr_safe_reload: boot)'}


@pytest.fixture
def at(node, monkeypatch):
    """A function that has a node remember what waits at a time of the day."""

    def remember(hour, *waiting):
        monkeypatch.setattr(deferred.time, 'gmtime', lambda: (2026, 11, 27, hour, 0, 0, 4, 331, 0))
        remember_deferred(node.machine, list(waiting))
        return read_deferred(node.machine)

    return remember


def test_it_says_since_when_whatever_the_reason_is_by_now(at):
    assert at(1, LIST) == [dict(LIST, since='2026-11-27T01:00:00Z')]
    later = dict(LIST, why='job 43 is on the node')
    assert at(5, later, LOAD) == [
        dict(later, since='2026-11-27T01:00:00Z'),
        dict(LOAD, since='2026-11-27T05:00:00Z'),
    ]


def test_what_was_done_is_forgotten(at, node):
    at(1, LIST, LOAD)
    assert [each['what'] for each in at(2, LOAD)] == [LOAD['what']]
    assert at(3) == [] and not node.has(DEFERRED)


def test_what_is_remembered_already_is_not_written_again(at, node):
    at(1, LIST)
    before = node.get(DEFERRED)
    at(5, LIST)
    assert node.get(DEFERRED) == before
    assert is_remembered([LIST], read_deferred(node.machine))
    assert not is_remembered([], read_deferred(node.machine))


def test_a_module_that_waited_is_loaded_by_a_reboot_and_a_list_is_not_approved(at, node):
    at(1, LIST, LOAD, {'what': 'restart: restart slurmd', 'why': 'job 42 is on the node'})
    node.put('/proc/sys/kernel/random/boot_id', 'another\n')
    assert [each['what'] for each in read_deferred(node.machine)] == [LIST['what']]


@pytest.mark.parametrize('text', ['', '{', '[1]', '[{"what": "x"}]', 'null', '{"a": 1}', '7'])
def test_a_damaged_file_says_nothing_and_is_replaced(at, node, text):
    node.put(DEFERRED, text)
    assert read_deferred(node.machine) == []
    assert len(at(1, LIST)) == 1
