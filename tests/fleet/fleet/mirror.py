# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Debian packages come from: what the host's apt is configured for."""

import re
import subprocess

SUITE = 'bookworm'
DEFAULT = [
    f'deb http://deb.debian.org/debian {SUITE} main',
    f'deb http://deb.debian.org/debian {SUITE}-updates main',
    f'deb http://deb.debian.org/debian-security {SUITE}-security main',
]


def sources():
    """The host's Debian sources of our suite as one-line apt entries, or Debian's own where the host has none.

    Sources of third parties are left out: those name no `debian` directory, or have no component `main`.
    """
    listing = _output(
        ['apt-get', 'indextargets', '--no-release-info', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)'],
        ['Created-By: Packages'],
    )
    entries = [
        f'deb {uri} {release} {component}'
        for uri, release, component in (line.split() for line in listing)
        if re.search(r'/debian(-security)?/', uri)
        and release in (SUITE, f'{SUITE}-updates', f'{SUITE}-security')
        and component == 'main'
    ]
    return list(dict.fromkeys(entries)) or DEFAULT


def options():
    """The host's apt options that a mirror may need: proxies, and whether release dates are checked."""
    return [
        line.rstrip(';')
        for line in _output(['apt-config', 'dump'])
        if re.match(r'Acquire::(https?::Proxy|Check-Valid-Until|Check-Date)\b.* "[^"]+"', line)
    ]


def _output(command, arguments=()):
    return subprocess.run([*command, *arguments], check=True, capture_output=True, text=True).stdout.splitlines()
