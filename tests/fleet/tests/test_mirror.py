# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the host's apt sources a node gets."""

from fleet import mirror

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


def test_debian_alone_and_each_once(monkeypatch):
    monkeypatch.setattr(mirror, '_output', lambda *_: HOST)
    assert mirror.sources() == [
        'deb http://mirror.example/debian/ bookworm main',
        'deb http://mirror.example/debian/ bookworm-updates main',
        'deb http://mirror.example/debian-security/ bookworm-security main',
    ]


def test_debians_own_where_the_host_has_none(monkeypatch):
    monkeypatch.setattr(mirror, '_output', lambda *_: ['http://archive.ubuntu.example/ubuntu/ noble main'])
    assert mirror.sources() == mirror.DEFAULT


def test_options_that_a_mirror_needs(monkeypatch):
    dump = [
        'APT::Architecture "amd64";',
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::https::Proxy "";',
        'Acquire::Check-Valid-Until "false";',
    ]
    monkeypatch.setattr(mirror, '_output', lambda *_: dump)
    assert mirror.options() == [
        'Acquire::http::Proxy "http://proxy.example:3128"',
        'Acquire::Check-Valid-Until "false"',
    ]
