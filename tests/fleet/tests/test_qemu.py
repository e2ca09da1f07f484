# SPDX-License-Identifier: GPL-3.0-or-later
"""Which emulator nodes get."""

import pytest
from fleet import mirror, qemu
from fleet.errors import FleetError


@pytest.fixture(autouse=True)
def host(monkeypatch, tmp_path):
    """Let the host run a Debian of this codename."""
    monkeypatch.delenv('FLEET_QEMU', raising=False)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setattr(qemu, 'require_programs', lambda *_programs: None)
    return lambda release: monkeypatch.setattr(mirror, 'host_release', lambda: release)


@pytest.fixture
def unpacked(monkeypatch):
    """What was unpacked, in place of Debian's packages."""
    calls = []

    def unpack(_what, options, suite, directory, sources, _log):
        calls.append((options, suite, sources))
        directory.mkdir()

    monkeypatch.setattr(qemu, 'bootstrap_as_ours', unpack)
    return calls


@pytest.mark.parametrize('release', ['trixie', ''])
def test_this_machines_own(host, unpacked, release):
    host(release)
    assert qemu.ready_qemu() == ['qemu-system-x86_64']
    assert not unpacked


def test_debian_12_gets_that_of_debian_13_once(host, unpacked, tmp_path):
    host('bookworm')
    command = qemu.ready_qemu()
    assert qemu.ready_qemu() == command
    [(options, suite, sources)] = unpacked
    assert '--include=qemu-system-x86' in options and suite == 'trixie'
    assert all(' trixie' in source for source in sources)
    assert str(tmp_path) in command[0] and command[0].endswith('/ld-linux-x86-64.so.2')


def test_the_one_named(host, unpacked, monkeypatch):
    host('bookworm')
    monkeypatch.setenv('FLEET_QEMU', '/opt/qemu/bin/qemu-system-x86_64')
    assert qemu.ready_qemu() == ['/opt/qemu/bin/qemu-system-x86_64']
    assert not unpacked


def test_one_that_is_not_there(host, monkeypatch):
    host('trixie')
    monkeypatch.undo()
    monkeypatch.setenv('FLEET_QEMU', '/nowhere/qemu')
    with pytest.raises(FleetError, match='/nowhere/qemu not found'):
        qemu.ready_qemu()


def test_it_says_its_version():
    assert b'QEMU emulator version' in qemu.version_of(tuple(qemu.ready_qemu()))
