# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The groups that the role made, also where a run is killed: it removes all of them, and nobody else's."""

import grp
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import groups

RECORD = '/var/lib/msr-safe/created_group'


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture
def image(tmp_path):
    """A machine whose groups are those of its own file, with the commands that change that."""

    def run(arguments):
        program, name = os.path.basename(arguments[0]), arguments[-1]
        lines = [line for line in machine.read('/etc/group').decode().splitlines() if not line.startswith(name + ':')]
        lines += ['%s:x:999:' % name] if program == 'groupadd' else []
        machine.write('/etc/group', ''.join(line + '\n' for line in lines).encode())
        return 0, ''

    machine = Machine(str(tmp_path), run=run, runs=False)
    machine.write('/etc/group', b'root:x:0:\n')
    return machine


def add(machine, name, *members):
    """Somebody else makes a group."""
    text = machine.read('/etc/group').decode()
    machine.write('/etc/group', ('%s%s:x:998:%s\n' % (text, name, ','.join(members))).encode())


def killed(machine, monkeypatch, at):
    """Have the run that adds the group end before, or after, the group is made."""
    command = Machine.command

    def run_and_end(self, *arguments):
        if at == 'after':
            command(self, *arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Machine, 'command', run_and_end)
        with pytest.raises(Killed):
            groups.add_group(machine, 'msr')


def test_a_group_exists_or_not(node):
    assert groups.group_exists(node.machine, grp.getgrgid(os.getgid()).gr_name)
    assert not groups.group_exists(node.machine, 'no-such-group')
    assert not groups.group_exists(node.machine, 'zeros\0')


def test_a_group_is_ours_as_it_was_made(image):
    groups.add_group(image, 'msr')
    assert groups.groups_of_ours(image) == ['msr'] and groups.is_made(image, 'msr')
    groups.remove_group(image, 'msr')
    assert groups.groups_of_ours(image) == [] and not image.exists(RECORD)


def test_a_group_that_was_there_is_not_ours(image):
    add(image, 'msr', 'alice')
    groups.add_group(image, 'msr')
    assert groups.groups_of_ours(image) == [] and groups.is_made(image, 'msr') and not image.exists(RECORD)


def test_what_a_killed_run_made_is_removed(image, monkeypatch):
    """It stayed: the record was written behind the group."""
    killed(image, monkeypatch, 'after')
    assert groups.groups_of_ours(image) == ['msr']
    groups.remove_group(image, 'msr')
    assert not groups.group_exists(image, 'msr') and not image.exists(RECORD)


def test_the_next_run_settles_what_a_killed_one_began(image, monkeypatch):
    killed(image, monkeypatch, 'after')
    assert not groups.is_made(image, 'msr')  # So there is something to do
    groups.add_group(image, 'msr')
    assert groups.is_made(image, 'msr') and image.read(RECORD) == b'msr\n'


def test_what_was_not_made_is_made_by_the_next_run(image, monkeypatch):
    killed(image, monkeypatch, 'before')
    assert groups.groups_of_ours(image) == []
    groups.add_group(image, 'msr')
    assert groups.groups_of_ours(image) == ['msr'] and image.read(RECORD) == b'msr\n'


def test_a_group_with_members_is_of_others_who_made_it_after_the_kill(image, monkeypatch):
    killed(image, monkeypatch, 'before')
    add(image, 'msr', 'alice')
    assert groups.groups_of_ours(image) == []
    groups.add_group(image, 'msr')
    assert groups.groups_of_ours(image) == [] and groups.is_made(image, 'msr') and not image.exists(RECORD)


def test_members_of_a_group_of_ours_change_nothing(image):
    image.write(RECORD, b'msr\n')
    add(image, 'msr', 'alice')
    assert groups.groups_of_ours(image) == ['msr']


def test_a_group_that_cannot_be_made_is_forgotten(image):
    image.write(RECORD, b'before\n')

    def refuse(_arguments):
        return 10, "groupadd: can't update group file\n"

    broken = Machine(image.root, run=refuse, runs=False)
    with pytest.raises(MsrSafeError, match="can't update group file"):
        groups.add_group(broken, 'msr')
    assert image.read(RECORD) == b'before\n'
