# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What is left of a job does not go on under the next."""

import os
import types

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs import survivors
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.record import Record
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_slurm import FakeSlurm

REFERENCES = '/sys/module/msr_safe/refcnt'
# Mounts with the optional fields that proc(5) knows, and with none
MOUNTS = """\
22 1 0:5 / /dev rw,nosuid shared:2 master:1 - devtmpfs udev rw,size=4k
30 1 0:40 / /home rw,relatime shared:9 - nfs4 server:/home rw,hard
31 1 0:41 / /home/bob/a\\040-\\040tmpfs rw - fuse.sshfs bob@there:/ rw
32 1 0:42 / /run/c rw - overlay overlay rw
"""
RECORD = Record('42', '0', 'n1', 1000, '', True, 0.0)


def open_file(node, descriptor, path, mount):
    node.link('/proc/4711/fd/%d' % descriptor, path)
    node.put('/proc/4711/fdinfo/%d' % descriptor, 'pos:\t0\nflags:\t02\nmnt_id:\t%d\nino:\t7\n' % mount)


@pytest.fixture
def process(node, monkeypatch):
    """Have a process with a device open on the node, which ends when it is killed; return whom it killed."""
    killed = []
    node.put('/proc/devices', 'Character devices:\n  1 mem\n240 msr_safe\n\nBlock devices:\n')
    node.put('/proc/4711/comm', 'python3\n')
    open_file(node, 3, '/dev/cpu/2/msr_safe', mount=22)
    node.put('/proc/4711/mountinfo', MOUNTS)
    node.put(REFERENCES, '1\n')
    real = os.stat

    def make(uid=1000, major=240, cgroup=''):
        def stat(path, **options):
            if str(path).endswith('/4711/fd/4'):
                pytest.fail('it asked a file server')
            if str(path).endswith('/4711/fd/3'):
                return types.SimpleNamespace(st_mode=0o020660, st_rdev=os.makedev(major, 2))
            if str(path).endswith('/proc/4711'):
                return types.SimpleNamespace(st_uid=uid)
            return real(path, **options)

        def kill(pid, _signal):
            killed.append(pid)
            node.remove('/proc/4711/fd/3')
            node.put(REFERENCES, '0\n')

        fake = types.SimpleNamespace(stat=stat, kill=kill, major=os.major, readlink=os.readlink)
        monkeypatch.setattr(survivors, 'os', fake)
        node.put('/proc/4711/cgroup', cgroup)
        return killed

    return make


def test_a_process_of_its_user_is_killed(node, process):
    killed = process()
    lines = survivors.end_survivors(node.machine, [RECORD], kill=True)
    assert killed == [4711]
    assert lines == ['python3 (pid 4711) was killed: it had msr_safe open']


def test_one_that_became_root_by_a_program_of_root_s_is_killed(node, process):
    """As `su` does, which asks for the password, and hands on what is open to the user's shell."""
    killed = process(uid=0)
    node.put('/proc/4711/status', 'Name:\tsu\nUid:\t1000\t0\t0\t0\nGid:\t1000\t1000\t1000\t1000\n')
    survivors.end_survivors(node.machine, [RECORD], kill=True)
    assert killed == [4711]


def test_what_a_process_calls_itself_is_no_line_of_the_log_nor_a_change_of_a_register(node, process):
    process()
    node.put('/proc/4711/comm', 'a\nb -> \x1b[2Jc\n')
    lines = survivors.end_survivors(node.machine, [RECORD], kill=True)
    assert lines == ['a?b -? ??2Jc (pid 4711) was killed: it had msr_safe open']


def test_one_that_is_somebody_else_to_the_kernel_but_in_the_control_group_of_the_job_is_killed(node, process):
    killed = process(uid=165536, cgroup='0::/system.slice/slurmstepd.scope/job_42/step_0/user\n')
    survivors.end_survivors(node.machine, [RECORD], kill=True)
    assert killed == [4711]


@pytest.mark.parametrize('what', [{'uid': 0}, {'uid': 1001}, {'major': 1}, {'uid': 1001, 'cgroup': '0::/job_421/x\n'}])
def test_others_are_not(node, process, what):
    killed = process(**what)
    assert survivors.end_survivors(node.machine, [RECORD], kill=True) == []
    assert killed == []


def test_a_job_of_root_is_not_all_of_root(node, process):
    killed = process(uid=0)
    survivors.end_survivors(node.machine, [RECORD._replace(uid=0)], kill=True)
    assert killed == []


def test_they_can_be_told_only(node, process):
    killed = process()
    assert survivors.end_survivors(node.machine, [RECORD], kill=False) == ['python3 (pid 4711) still has msr_safe open']
    assert killed == []


@pytest.mark.parametrize('mount', [30, 31, 32], ids=['nfs4', 'fuse', 'overlay'])
def test_what_is_open_on_a_file_server_is_not_asked_for(node, process, mount):
    """A server that is away would keep the epilog for ever, and with it the lock of all jobs."""
    killed = process()
    open_file(node, 4, '/home/bob/out', mount)
    node.remove('/proc/4711/fd/3')
    open_file(node, 5, '/home/bob/msr_safe', mount)
    assert survivors.end_survivors(node.machine, [RECORD], kill=False) == []
    node.link('/proc/4711/fd/3', '/dev/cpu/2/msr_safe')
    survivors.end_survivors(node.machine, [RECORD], kill=True)
    assert killed == [4711], 'what else it has open does not hide a device'


def test_what_no_mount_shows_may_be_a_device(node, process, capsys):
    """A user can unmount what is open, or go where it is not seen; nor is such a file asked, which may be of a FUSE."""
    killed = process()
    node.remove('/proc/4711/fd/3')
    open_file(node, 4, '/msr_safe', mount=99)
    assert survivors.find_hidden(node.machine) == ['a device is open (1 times) that no process shows']
    lines = survivors.end_survivors(node.machine, [RECORD._replace(uid=1001)], kill=True)
    assert (lines, killed) == ([], [])
    node.link('/proc/4711/fd/3', 'socket:[77]')
    lines = survivors.end_survivors(node.machine, [RECORD], kill=True)
    assert killed == [4711]
    assert lines == ['python3 (pid 4711) was killed: it had what no mount shows open']


@pytest.mark.parametrize(
    ('descriptor', 'target'), [(6, '/memfd:cache (deleted)'), (6, 'socket:[77]'), (6, 'anon_inode:[eventpoll]')]
)
def test_what_is_no_file_of_a_mount_is_no_device(node, process, descriptor, target):
    killed = process()
    node.remove('/proc/4711/fd/3')
    open_file(node, descriptor, target, mount=15)
    assert survivors.end_survivors(node.machine, [RECORD], kill=True) == []
    assert killed == []


def test_what_one_process_cannot_see_another_may(node, process):
    """The first of a namespace has another root directory."""
    killed = process()
    node.put('/proc/4711/mountinfo', '')
    node.link('/proc/4710/fd/3', '/')
    node.put('/proc/4710/fdinfo/3', 'mnt_id:\t30\n')
    node.put('/proc/4710/mountinfo', MOUNTS)
    lines = survivors.end_survivors(node.machine, [RECORD], kill=True)
    assert killed == [4711]
    assert lines == ['python3 (pid 4711) was killed: it had msr_safe open']


def test_in_a_container_a_device_may_be_of_the_node_s_mounts(node, process):
    """It was opened before the container had mounts of its own."""
    killed = process()
    node.put('/proc/self/mountinfo', MOUNTS)
    node.put('/proc/4711/mountinfo', '80 1 0:60 / / rw - overlay overlay rw\n')
    survivors.end_survivors(node.machine, [RECORD], kill=True)
    assert killed == [4711]


@pytest.mark.parametrize('name', ['comm', 'status', 'cgroup', 'mountinfo', 'fdinfo/3'])
def test_a_process_that_ends_meanwhile_fails_no_epilog(node, process, monkeypatch, name):
    """The kernel then answers ESRCH, and for the mounts of a zombie EINVAL."""
    process()
    read = node.machine.read

    def vanish(path):
        if path == '/proc/4711/' + name:
            raise MsrSafeError('Cannot read %s: No such process.' % path)
        return read(path)

    monkeypatch.setattr(node.machine, 'read', vanish)
    survivors.end_survivors(node.machine, [RECORD], kill=True)


def test_where_the_module_counts_no_descriptor_nobody_is_looked_for(node, process, monkeypatch):
    process()
    node.put(REFERENCES, '0\n')
    monkeypatch.setattr(survivors, 'holders', lambda machine: pytest.fail('it looked'))
    assert survivors.end_survivors(node.machine, [RECORD], kill=True) == []


def test_a_descriptor_that_no_process_shows_is_told(node, capsys):
    slurm = FakeSlurm(node)
    node.put(REFERENCES, '1\n')
    slurm.job('prolog', 42)
    slurm.job('epilog', 42)
    assert capsys.readouterr().out.count('a device is open (1 times) that no process shows') == 2
