# SPDX-License-Identifier: GPL-3.0-or-later
"""Removal takes every trace away, as it said it would."""

import pathlib

import pytest

testinfra_hosts = ['ssh://skylake', 'ssh://milan']

SCENARIO = pathlib.Path(__file__).parent.parent

PATHS = (
    '/etc/msr-safe /etc/modprobe.d/msr-safe.conf /etc/udev/rules.d/70-msr-safe.rules '
    '/etc/systemd/system/msr-safe.service /etc/systemd/system/multi-user.target.wants/msr-safe.service '
    '/usr/lib/msr-safe /usr/sbin/msrsave /usr/sbin/msr-safe /usr/src/msr-safe-* /var/lib/msr-safe '
    '/usr/share/man/man8/msr* /usr/share/bash-completion/completions/msr* '
    '/lib/modules/*/updates/msr-safe.ko /sys/module/msr_safe /dev/cpu/msr_* /dev/cpu/*/msr_safe'
)


@pytest.fixture(scope='module')
def prediction(playbook_on):
    return playbook_on('all', SCENARIO, 'remove', '--check')


@pytest.fixture(scope='module')
def removal(prediction, playbook_on, ssh):
    assert [ssh(node, 'ls -d /etc/msr-safe') for node in ('skylake', 'milan')] == ['/etc/msr-safe\n'] * 2
    return playbook_on('all', SCENARIO, 'remove')


@pytest.fixture(scope='module')
def second_removal(removal, playbook_on):
    return playbook_on('all', SCENARIO, 'remove')


def test_removal_leaves_no_trace(removal, host):
    assert removal.succeeded, removal.output
    assert host.run(f'ls -d {PATHS} 2>/dev/null').stdout == ''
    assert not host.group('msr').exists


def test_removal_is_predicted(prediction, removal, node):
    assert prediction.succeeded, prediction.output
    assert removal.changed(node) == prediction.changed(node) > 0


def test_removal_is_complete_at_once(second_removal, node):
    assert second_removal.changed(node) == 0
