# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import os
import types

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import read_only
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.actions import ACTIONS
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.change import build_change, defer
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.read_only import observe_read_only
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.requirements import (
    ONLY_READ,
    WRITE_TO,
    describe_read_only,
)


def change(action, stage='install', **arguments):
    return build_change(stage, ACTIONS[action], action, None, None, **arguments)


@pytest.fixture
def mounts(node, monkeypatch):
    """A function that mounts directories of the node read only."""
    mounted = []

    def statvfs(place):
        path = '/' + os.path.relpath(place, node.root)
        return types.SimpleNamespace(f_flag=os.ST_RDONLY if any(path.startswith(one) for one in mounted) else 0)

    monkeypatch.setattr(read_only.os, 'statvfs', statvfs)
    return mounted.append


def test_a_node_of_which_all_can_be_written(node):
    assert observe_read_only(node.machine) == []


def test_directories_of_a_root_that_is_read_only_with_a_part_that_is_not(node, mounts):
    os.makedirs(node.path('/usr/lib'))
    os.makedirs(node.path('/lib/modules'), exist_ok=True)
    mounts('/usr')
    mounts('/lib')
    assert observe_read_only(node.machine) == ['/lib/modules', '/usr']


def test_what_is_not_there_yet_is_as_what_it_would_be_made_in(node, mounts):
    os.makedirs(node.path('/var'), exist_ok=True)
    mounts('/var')
    assert observe_read_only(node.machine) == ['/var/lib']


@pytest.mark.parametrize(
    'action, path',
    [
        ('write_file', '/etc/modprobe.d/msr-safe.conf'),
        ('install_module', '/etc/x'),
        ('remove_path', '/etc/msr-safe'),
        ('add_group', None),
        ('enable_service', None),
    ],
)
def test_what_is_due_there_is_said_with_what_to_do(action, path):
    (said,) = describe_read_only({'read_only': ['/etc']}, [change(action, path=path)])
    assert said.startswith('/etc is read only on this node, and what is due there will fail: install: %s.' % action)
    assert 'msr_safe_root' in said


@pytest.mark.parametrize(
    'one',
    [
        change('activate_list', path='/etc/msr-safe/approved_list'),
        change('write_file', path='/etcetera'),
        change('load_module'),
        change('build_module', path='/etc/built', artifact='/controller/msr-safe.ko'),
        defer(change('write_file', path='/etc/x'), 'job 42 is on the node'),
    ],
)
def test_what_writes_elsewhere_or_later_is_not(one):
    assert describe_read_only({'read_only': ['/etc']}, [one]) == []


def test_each_directory_is_said_once_with_all_that_is_due():
    changes = [change('install_commands', stage='commands'), change('write_file', path='/usr/a'), change('add_group')]
    of_etc, of_usr = describe_read_only({'read_only': ['/etc', '/usr']}, changes)
    assert 'install: add_group.' in of_etc
    assert 'commands: install_commands; install: write_file.' in of_usr


def test_the_actions_are_those_that_there_are():
    assert {*WRITE_TO, *ONLY_READ} <= set(ACTIONS)
