# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import fcntl
import os
import stat

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.record import Record, remove_record, take, write_record
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import alone
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.deferred import (
    DEFERRED_OF_SLURM,
    read_deferred,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.tree import pack_tree
from ansible_collections.hpc.msr_safe.plugins.modules import msr_safe_apply


@pytest.fixture
def machine(tmp_path, monkeypatch):
    machine = Machine(str(tmp_path))
    monkeypatch.setattr(msr_safe_apply, 'machine_of', lambda _root: machine)
    return machine


def write(path, content, stage='install'):
    return {'stage': stage, 'action': 'write_file', 'title': 'write ' + path, 'path': path, 'content': content}


def options(*changes, **others):
    nothing = {'waiting': None, 'role': 'msr_safe', 'verify': None, 'root': None, '_payloads': None}
    return dict(dict(nothing, changes=list(changes)), **others)


def test_carries_out_changes_of_several_stages_in_order(machine):
    done = []
    changes = [write('/etc/a', 'one'), write('/etc/a', 'two', stage='boot')]
    assert msr_safe_apply.apply(options(*changes), False, done, []) == {'notes': []}
    assert done == ['install: write /etc/a', 'boot: write /etc/a']
    assert machine.read('/etc/a') == b'two'


def test_each_change_gets_what_was_sent_for_it(machine, tmp_path):
    deliver = {'stage': 'deliver', 'action': 'deliver_module', 'title': 'copy', 'path': '/var/lib/x.ko'}
    (tmp_path / 'sent').write_bytes(pack_tree({'1': b'the module'}))
    changes = options(write('/etc/a', ''), deliver, _payloads=str(tmp_path / 'sent'))
    msr_safe_apply.apply(changes, False, [], [])
    assert machine.read('/var/lib/x.ko') == b'the module'


def test_a_failure_names_its_stage_and_leaves_out_what_comes_after(machine, tmp_path):
    (tmp_path / 'etc').write_text('a file in the place of a directory')
    done, changes = [], [write('/x', ''), write('/etc/a', '', stage='permissions'), write('/y', '', stage='boot')]
    with pytest.raises(MsrSafeError, match=r'(?s)Stage permissions: Cannot write /etc/a.*after that is left undone'):
        msr_safe_apply.apply(options(*changes), False, done, [])
    assert done == ['install: write /x']
    assert machine.read('/y') is None


@pytest.fixture
def another_run(machine):
    """Another run at work on the node; a function that ends it."""
    descriptor = os.open(machine.root, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield lambda: fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def test_another_run_is_waited_for(machine, another_run, monkeypatch):
    waited = []
    monkeypatch.setattr(alone.time, 'sleep', lambda _seconds: (waited.append(machine.read('/etc/a')), another_run()))
    msr_safe_apply.apply(options(write('/etc/a', 'one')), False, [], [])
    assert waited == [None]
    assert machine.read('/etc/a') == b'one'


def test_another_run_that_does_not_end_is_named_and_nothing_is_changed(machine, another_run, monkeypatch):
    times = iter([0, 0, alone.PATIENCE])
    monkeypatch.setattr(alone.time, 'monotonic', lambda: next(times))
    monkeypatch.setattr(alone.time, 'sleep', lambda _seconds: None)
    done = []
    with pytest.raises(MsrSafeError, match='Another run changes this node, for more than 900 s now: another process'):
        msr_safe_apply.apply(options(write('/etc/a', 'one')), False, done, [])
    assert done == [] and machine.read('/etc/a') is None


def test_a_root_that_knows_no_locks_is_changed_without(machine, another_run, monkeypatch):
    def flock(_descriptor, _operation):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(alone.fcntl, 'flock', flock)
    msr_safe_apply.apply(options(write('/etc/a', 'one')), False, [], [])
    assert machine.read('/etc/a') == b'one'


def test_a_user_who_locks_what_all_can_open_is_not_in_the_way(machine, another_run, tmp_path, monkeypatch):
    monkeypatch.setattr(alone.time, 'sleep', lambda _seconds: pytest.fail('it waits'))
    (tmp_path / 'root').mkdir(mode=0o700)
    msr_safe_apply.apply(options(write('/etc/a', 'one')), False, [], [])
    assert machine.read('/etc/a') == b'one'


@pytest.mark.parametrize('mode, name', [(0o700, 'root'), (0o550, 'root'), (0o755, '')])
def test_the_lock_is_on_what_no_user_can_open_where_there_is_such(machine, tmp_path, mode, name):
    assert os.path.samefile(alone.place_of_lock(machine), tmp_path)
    (tmp_path / 'root').mkdir()
    (tmp_path / 'root').chmod(mode)
    assert os.path.samefile(alone.place_of_lock(machine), tmp_path / name)


def test_check_mode_changes_nothing(machine):
    done = []
    msr_safe_apply.apply(options(write('/etc/a', '')), True, done, [])
    assert done == ['install: write /etc/a']
    assert machine.read('/etc/a') is None


def test_everyone_may_read_what_is_installed(machine, tmp_path):
    umask = os.umask(0o077)
    try:
        msr_safe_apply.apply(options(write('/etc/msr-safe/approved_list', '')), False, [], [])
    finally:
        os.umask(umask)
    assert stat.S_IMODE(os.stat(str(tmp_path / 'etc' / 'msr-safe')).st_mode) == 0o755


def test_what_a_job_would_feel_is_left_out_where_one_came_meanwhile(machine):
    os.makedirs(machine.path('/run/msr-safe/jobs'))
    os.chmod(machine.path('/run/msr-safe/jobs'), 0o700)
    write_record(machine, Record('42', '', 'n1', 1000, '', True, 1.0), '')
    done, waiting = [], [{'what': 'before: x', 'why': 'y'}]
    felt = dict(write('/etc/b', 'two', stage='approve'), disturbs=True)
    msr_safe_apply.apply(options(write('/etc/a', 'one'), felt, waiting=waiting), False, done, waiting)
    assert done == ['install: write /etc/a']
    what, why = 'approve: write /etc/b', 'job 42 is on the node; run the role again when it has ended'
    assert waiting[1:] == [{'what': what, 'why': why}]
    assert read_deferred(machine)[1]['what'] == what
    assert machine.read('/etc/b') is None
    remove_record(machine, '42')
    msr_safe_apply.apply(options(write('/etc/a', 'by another role')), False, done, [])
    assert len(read_deferred(machine)) == 2
    msr_safe_apply.apply(options(felt, waiting=[]), False, done, [])
    assert machine.read('/etc/b') == b'two'
    assert read_deferred(machine) == []


def test_each_role_remembers_and_forgets_its_own(machine):
    restart = {'what': 'restart: restart slurmd', 'why': 'job 42 is on the node'}
    msr_safe_apply.apply(options(waiting=[restart], role='slurm'), False, [], [restart])
    assert read_deferred(machine, DEFERRED_OF_SLURM)[0]['what'] == restart['what']
    msr_safe_apply.apply(options(waiting=[]), False, [], [])
    assert read_deferred(machine) == [] and len(read_deferred(machine, DEFERRED_OF_SLURM)) == 1
    msr_safe_apply.apply(options(waiting=[], role='slurm'), False, [], [])
    assert read_deferred(machine, DEFERRED_OF_SLURM) == []


def test_no_job_begins_while_it_would_feel_a_change(machine, monkeypatch):
    os.makedirs(machine.path('/run/msr-safe/jobs'))
    os.chmod(machine.path('/run/msr-safe/jobs'), 0o700)
    held = []

    def carry_out(machine, change, payload):
        with open(machine.path('/run/msr-safe/jobs/lock')) as lock:
            held.append(not take(lock.fileno()))
        return []

    monkeypatch.setattr(msr_safe_apply, 'carry_out_change', carry_out)
    msr_safe_apply.apply(options(dict(write('/etc/b', 'two'), disturbs=True)), False, [], [])
    msr_safe_apply.apply(options(write('/etc/b', 'two')), False, [], [])
    assert held == [True, False]


def test_a_node_without_slurm_gets_no_directory_of_jobs(machine):
    msr_safe_apply.apply(options(dict(write('/etc/b', 'two'), disturbs=True)), False, [], [])
    assert machine.read('/etc/b') == b'two'
    assert not machine.exists('/run')
