# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What slurm.conf says now counts, not what it said when the role was applied."""

import fcntl
import marshal
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs import partitions, slurm_conf
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.record import LOCK
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_slurm import FakeSlurm

CONF = '/etc/slurm/slurm.conf'
EXCLUSIVE = 'PartitionName=main OverSubscribe=EXCLUSIVE\n'
SHARED = 'PartitionName=main OverSubscribe=FORCE:4\n'


@pytest.fixture
def slurm(node):
    slurm = FakeSlurm(node)
    slurm.configure(exclusive='', slurm_conf=CONF)
    node.put(CONF, EXCLUSIVE)
    return slurm


def may_write(slurm, number=42, **who):
    """Return whether a job may that wants to write registers; it ends at once."""
    assert slurm.job('prolog', number, '--profile=power', **who) == 0
    refusal = slurm.refusal(number)
    slurm.job('epilog', number)
    return refusal is None


def test_a_partition_that_became_shared_is_not_taken_for_exclusive_any_more(node, slurm):
    assert may_write(slurm)
    node.put(CONF, SHARED)
    assert not may_write(slurm, 43)
    node.put(CONF, EXCLUSIVE + '# back again\n')
    assert may_write(slurm, 44)


def test_so_it_is_where_an_included_file_says_it(node, slurm):
    node.put(CONF, 'include partitions.conf\n')
    assert not may_write(slurm), 'there is no such file yet'
    node.put('/etc/slurm/partitions.conf', EXCLUSIVE)
    assert may_write(slurm, 43)
    node.put('/etc/slurm/partitions.conf', SHARED)
    assert not may_write(slurm, 44)


def test_a_file_that_is_replaced_by_one_of_its_size_and_time_is_seen(node, slurm):
    """As one that is copied with its times, from a version control system's work tree."""
    shared = SHARED + '#' * (len(EXCLUSIVE) - len(SHARED) - 1) + '\n'
    assert may_write(slurm)
    before = os.stat(node.path(CONF))
    node.put(CONF + '.new', shared)
    os.utime(node.path(CONF + '.new'), ns=(before.st_atime_ns, before.st_mtime_ns))
    os.rename(node.path(CONF + '.new'), node.path(CONF))
    assert os.stat(node.path(CONF)).st_size == before.st_size
    assert not may_write(slurm, 43)


def test_it_is_read_once_while_it_stays_as_it_is(slurm, monkeypatch):
    assert may_write(slurm)
    monkeypatch.setattr(slurm_conf, 'read_slurm_conf', lambda *_arguments: pytest.fail('it was read again'))
    assert may_write(slurm, 43)


@pytest.mark.parametrize('content', [b'', b'nonsense', b'[\x00\x00', b'N', marshal.dumps((None, None, None))])
def test_what_is_kept_may_be_damaged(node, slurm, content):
    assert may_write(slurm)
    node.put(partitions.PATH, content)
    assert may_write(slurm, 43)


def test_what_was_kept_of_another_file_is_not_taken(node, slurm):
    assert may_write(slurm)
    node.put('/run/slurm/conf/slurm.conf', SHARED)
    slurm.configure(exclusive='', slurm_conf='/run/slurm/conf/slurm.conf')
    assert not may_write(slurm, 43)


def test_without_the_file_no_partition_is_exclusive_and_that_is_said(node, slurm, capsys):
    node.remove(CONF)
    assert not may_write(slurm)
    assert 'There is no /etc/slurm/slurm.conf: no partition is taken for exclusive.' in capsys.readouterr().out
    assert slurm.command('check') == 1
    assert 'settings: There is no /etc/slurm/slurm.conf' in capsys.readouterr().out


def test_a_file_that_cannot_be_read_drains_nothing(node, slurm, capsys):
    node.remove(CONF)
    os.mkdir(node.path(CONF))
    assert not may_write(slurm)
    assert 'Cannot open /etc/slurm/slurm.conf' in capsys.readouterr().out
    assert not slurm.saw('drain')


def test_where_it_cannot_be_kept_it_is_read_each_time(node, slurm):
    os.makedirs(node.path(partitions.PATH))
    assert may_write(slurm)


def test_partitions_of_jobs_conf_are_exclusive_whatever_slurm_conf_says(node, slurm):
    slurm.configure(exclusive='main', slurm_conf=CONF)
    node.put(CONF, SHARED)
    assert may_write(slurm)


def test_a_job_that_slurm_says_is_alone_needs_no_file(node, slurm, monkeypatch):
    monkeypatch.setattr(partitions, 'exclusive_now', lambda *_arguments: pytest.fail('it was looked at'))
    assert may_write(slurm, oversubscribe='NO')


def test_nobody_waits_for_a_file_server_but_this_job(node, slurm, monkeypatch):
    real = partitions.exclusive_now

    def look(machine, path):
        descriptor = os.open(machine.path(LOCK), os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Raises where somebody has the lock
        os.close(descriptor)
        return real(machine, path)

    slurm.command('status')
    monkeypatch.setattr(partitions, 'exclusive_now', look)
    assert may_write(slurm)
