# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.tree import pack_tree
from ansible_collections.hpc.msr_safe.plugins.modules import msr_safe_build
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.module_file import module_file

RELEASE = '6.1.0-18-amd64'
CHANGE = {
    'stage': 'build',
    'action': 'build_module',
    'title': 'build it',
    'path': '/srv/built/%s/msr-safe.ko' % RELEASE,
    'kernel_release': RELEASE,
    'vermagic': None,
    'sign': None,
    'version': '2.0.0',
    'source_digest': 'd',
}
MODULE = module_file(source_digest='d', vermagic=RELEASE + ' SMP')


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with headers and make, without gcc."""
    machine = Machine(str(tmp_path / 'machine'), run=lambda arguments: run(machine, arguments))
    machine.commands = []
    monkeypatch.setattr(msr_safe_build, 'Machine', lambda: machine)
    for path in ('/lib/modules/%s/build/Makefile' % RELEASE, '/usr/bin/make', '/usr/bin/apt-get'):
        machine.write(path, b'')
    machine.write('/sys/devices/system/cpu/online', b'0-1\n')
    return machine


def run(machine, arguments):
    machine.commands.append(arguments[0])
    if arguments[0] == 'env':
        machine.write('/usr/bin/gcc', b'')
    if arguments[0] == 'make':
        with open(machine.path(arguments[arguments.index('-C') + 1]) + '/msr-safe.ko', 'wb') as stream:
            stream.write(MODULE)
    return 0, ''


@pytest.fixture
def options(tmp_path):
    (tmp_path / 'sent').write_bytes(pack_tree({'source': pack_tree({'main.c': b''})}))
    return {'_change': CHANGE, 'install_packages': True, '_payloads': str(tmp_path / 'sent')}


def test_installs_and_builds(machine, options):
    done = []
    assert msr_safe_build.build(options, False, done) == MODULE
    assert done == ['build: install with apt-get: gcc', 'build: build it']
    assert machine.commands == ['apt-get', 'env', 'make']


def test_check_mode_says_what_would_be_installed(machine, options):
    done = []
    assert msr_safe_build.build(options, True, done) is None
    assert done == ['build: install with apt-get: gcc', 'build: build it']
    assert machine.commands == []
    assert not machine.exists('/srv')


def test_what_is_there_needs_no_compiler(machine, options):
    machine.write(CHANGE['path'], MODULE)
    done = []
    assert msr_safe_build.build(options, False, done) == MODULE
    assert (done, machine.commands) == (['build: build it'], [])


def test_without_packages_it_is_refused(machine, options):
    with pytest.raises(MsrSafeError, match='needs gcc'):
        msr_safe_build.build(dict(options, install_packages=False), False, [])
