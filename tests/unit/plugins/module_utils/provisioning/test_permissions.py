# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import PACKAGE
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.files import UNIT
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.permissions import observe_permissions
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import KERNEL

INSTALLED = '/lib/modules/%s/updates/msr-safe.ko' % KERNEL
MODES = {
    UNIT: 0o644,
    INSTALLED: 0o644,
    '/etc/msr-safe/approved_list': 0o644,
    '/usr/sbin/msrsave': 0o755,
    '/usr/share/man/man8/msrsave.8': 0o644,
    PACKAGE + '/snapshots/save.py': 0o644,
}
DIRECTORIES = ('/etc/msr-safe', '/usr/lib/msr-safe', PACKAGE, PACKAGE + '/snapshots', '/var/lib/msr-safe')


@pytest.fixture
def installed(bare_node):
    for path, mode in MODES.items():
        bare_node.put(path, 'x')
        os.chmod(bare_node.path(path), mode)
    bare_node.put('/var/lib/msr-safe/snapshot.json', '')
    for path in DIRECTORIES:
        os.chmod(bare_node.path(path), 0o755)
    return bare_node


def unlike(node):
    return observe_permissions(node.machine, KERNEL)[0]


def test_what_was_installed_is_as_it_should_be(installed):
    assert observe_permissions(installed.machine, KERNEL) == ({}, {})


@pytest.mark.parametrize('path', sorted(MODES))
@pytest.mark.parametrize('mode', [0o666, 0o600, 0o4755])
def test_a_file_of_another_mode_is_seen(installed, path, mode):
    os.chmod(installed.path(path), mode)
    assert unlike(installed)[path]['is'].startswith('%04o ' % mode)
    assert unlike(installed)[path]['mode'] == '%04o' % MODES[path]


@pytest.mark.parametrize('path', DIRECTORIES)
def test_a_directory_that_others_write_is_seen(installed, path):
    os.chmod(installed.path(path), 0o777)
    assert unlike(installed)[path]['mode'] == '0755'


def test_a_source_for_dkms_that_others_write_is_seen_and_that_of_another_msr_safe_not(installed):
    for version, text in (('2.0.0', '# hpc.msr_safe\n'), ('1.7.0', '')):
        installed.put('/usr/src/msr-safe-%s/dkms.conf' % version, text)
        os.chmod(installed.path('/usr/src/msr-safe-%s' % version), 0o755)
        os.chmod(installed.path('/usr/src/msr-safe-%s/dkms.conf' % version), 0o666)
    assert list(unlike(installed)) == ['/usr/src/msr-safe-2.0.0/dkms.conf']


def test_a_library_that_is_not_readable_is_seen(installed):
    os.chmod(installed.path('/usr/lib/msr-safe'), 0o700)
    assert list(unlike(installed)) == ['/usr/lib/msr-safe']


def test_state_may_be_for_root_only(installed):
    os.chmod(installed.path('/var/lib/msr-safe'), 0o700)
    assert unlike(installed) == {}


def test_another_owner_is_seen(installed, monkeypatch):
    monkeypatch.setattr(os, 'geteuid', lambda: os.getuid() + 1)
    assert UNIT in unlike(installed)


def test_links_are_told_apart(installed):
    installed.remove(UNIT)
    installed.link(UNIT, '/dev/null')
    assert observe_permissions(installed.machine, KERNEL) == ({}, {UNIT: '/dev/null'})
