# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Debian packages come from: what the host's apt is configured for."""

import os
import re
import subprocess
from pathlib import Path

from fleet.errors import FleetError

RELEASES = ('bookworm', 'trixie')  # of nodes; a host of another release has nodes of the first
DEBIAN = 'http://deb.debian.org/debian'


def host_release(os_release='/etc/os-release'):
    """The codename of the Debian that this machine runs, '' where it is none."""
    facts = dict(line.split('=', 1) for line in Path(os_release).read_text().splitlines() if '=' in line)
    return facts.get('VERSION_CODENAME', '').strip('"') if facts.get('ID', '').strip('"') == 'debian' else ''


def node_release():
    """The codename of the Debian that nodes run: $FLEET_RELEASE, or else the host's. Raises FleetError."""
    wanted = os.environ.get('FLEET_RELEASE') or host_release()
    if wanted in RELEASES:
        return wanted
    if os.environ.get('FLEET_RELEASE'):
        raise FleetError(f'FLEET_RELEASE={wanted}: nodes run {" or ".join(RELEASES)}. Name one of them.')
    return RELEASES[0]


def sources(suite):
    """The host's Debian sources, for a suite, as one-line apt entries; Debian's own where the host has none.

    Sources of third parties are left out: those name no `debian` directory, or have no component `main`.
    """
    host = host_release()
    listing = _output(
        ['apt-get', 'indextargets', '--no-release-info', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)'],
        ['Created-By: Packages'],
    )
    # Of sid there are neither updates nor a part for security
    parts = ('',) if suite == 'sid' else ('', '-updates', '-security')
    entries = [
        f'deb {uri} {suite}{release.removeprefix(host)} {component}'
        for uri, release, component in (line.split() for line in listing)
        if re.search(r'/debian(-security)?/', uri)
        and release in [host + part for part in parts if host]
        and component == 'main'
    ]
    return list(dict.fromkeys(entries)) or [_own_source(suite, part) for part in parts]


def without_updates(suite):
    """The same less the suite's updates: what is kept for weeks needs them least."""
    return [source for source in sources(suite) if f' {suite}-updates ' not in source]


def options():
    """The host's apt options that a mirror may need: proxies, and whether release dates are checked."""
    return [
        line.rstrip(';')
        for line in _output(['apt-config', 'dump'])
        if re.match(r'Acquire::(https?::Proxy|Check-Valid-Until|Check-Date)\b.* "[^"]+"', line)
    ]


def _own_source(suite, part):
    return f'deb {DEBIAN}{part if part == "-security" else ""} {suite}{part} main'


def _output(command, arguments=()):
    return subprocess.run([*command, *arguments], check=True, capture_output=True, text=True).stdout.splitlines()
