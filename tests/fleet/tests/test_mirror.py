# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Debian a node is, and which of the host's apt sources it gets."""

import pytest
from fleet import mirror
from fleet.errors import FleetError

HOST = """\
http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm contrib
http://mirror.example/debian/ bookworm-updates main
http://mirror.example/debian-security/ bookworm-security main
http://mirror.example/debian/ trixie main
https://download.docker.example/linux/debian/ bookworm stable
https://apt.example.com/ bookworm main
""".splitlines()


@pytest.fixture(autouse=True)
def host(monkeypatch):
    """Let the host run a Debian of this codename ('' for another system), with apt sources or options."""

    def be(release, lines=()):
        monkeypatch.setattr(mirror, 'host_release', lambda: release)
        monkeypatch.setattr(mirror, '_output', lambda *_: lines)

    monkeypatch.delenv('FLEET_RELEASE', raising=False)
    be('bookworm', HOST)
    return be


def test_debian_alone_and_each_once():
    assert mirror.sources('bookworm') == [
        'deb http://mirror.example/debian/ bookworm main',
        'deb http://mirror.example/debian/ bookworm-updates main',
        'deb http://mirror.example/debian-security/ bookworm-security main',
    ]


def test_the_hosts_mirror_has_other_suites():
    assert mirror.sources('trixie') == [
        'deb http://mirror.example/debian/ trixie main',
        'deb http://mirror.example/debian/ trixie-updates main',
        'deb http://mirror.example/debian-security/ trixie-security main',
    ]
    assert mirror.sources('sid') == ['deb http://mirror.example/debian/ sid main']


@pytest.mark.parametrize('release', ['bookworm', ''])
def test_debians_own_where_the_host_has_none(host, release):
    host(release, ['http://archive.ubuntu.example/ubuntu/ noble main'])
    assert mirror.sources('trixie') == [
        'deb http://deb.debian.org/debian trixie main',
        'deb http://deb.debian.org/debian trixie-updates main',
        'deb http://deb.debian.org/debian-security trixie-security main',
    ]


def test_options_that_a_mirror_needs(host):
    host(
        'bookworm',
        [
            'APT::Architecture "amd64";',
            'Acquire::http::Proxy "http://proxy.example:3128";',
            'Acquire::https::Proxy "";',
            'Acquire::Check-Valid-Until "false";',
        ],
    )
    assert mirror.options() == [
        'Acquire::http::Proxy "http://proxy.example:3128"',
        'Acquire::Check-Valid-Until "false"',
    ]


@pytest.mark.parametrize(('host_runs', 'nodes_run'), [('bookworm', 'bookworm'), ('trixie', 'trixie'), ('', 'bookworm')])
def test_nodes_are_of_the_hosts_release(host, host_runs, nodes_run):
    host(host_runs)
    assert mirror.node_release() == nodes_run


def test_nodes_are_of_the_release_that_is_asked_for(monkeypatch):
    monkeypatch.setenv('FLEET_RELEASE', 'trixie')
    assert mirror.node_release() == 'trixie'
    monkeypatch.setenv('FLEET_RELEASE', 'buster')
    with pytest.raises(FleetError, match='FLEET_RELEASE=buster: nodes run bookworm or trixie'):
        mirror.node_release()


@pytest.mark.parametrize(
    ('text', 'release'),
    [
        ('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_CODENAME=trixie\n', 'trixie'),
        ('ID=ubuntu\nVERSION_CODENAME=noble\n', ''),
        ('ID=debian\n', ''),
    ],
)
def test_what_the_host_runs(monkeypatch, tmp_path, text, release):
    monkeypatch.undo()
    (tmp_path / 'os-release').write_text(text)
    assert mirror.host_release(tmp_path / 'os-release') == release
