# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages for a node that has no network: fetched here, installed there."""

import os
import pathlib
import shutil
import subprocess
import sys

from cluster import STATE

sys.path.append(str(pathlib.Path(__file__).parents[3] / 'tests/fleet'))

from fleet import mirror

KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
CONFIGURATION = """\
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::trusted "{keyring}";
APT::Architecture "amd64";
"""
# Nothing is started that the test does not start, and nothing is kept for the next power cut
INSTALL = """set -e
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
DEBIAN_FRONTEND=noninteractive apt-get -qq --option=DPkg::Options::=--force-unsafe-io \\
    install --yes --no-install-recommends /root/packages/*.deb
rm -r /usr/sbin/policy-rc.d /root/packages
"""


def install(host, *names):
    """Install packages on a Host, with what they need there. Raises AssertionError."""
    missing = [name for name in names if host.try_run(f'dpkg --status {name}').returncode]
    if missing:
        archives = fetch(host, missing)
        with subprocess.Popen(['tar', '--create', '--directory', archives, '.'], stdout=subprocess.PIPE) as tar:
            unpack = 'mkdir -p /root/packages && tar --extract --directory=/root/packages'
            subprocess.run(['ssh', '-F', STATE / 'ssh_config', host.name, unpack], stdin=tar.stdout, check=True)
        host.run(INSTALL)


def fetch(host, names):
    """Fetch packages of the Debian that a Host runs, and those that they need and it lacks; return the directory."""
    root = STATE / 'packages' / host.name
    archives = root / 'cache/archives'
    shutil.rmtree(archives, ignore_errors=True)
    for directory in (root / 'state/lists/partial', archives / 'partial'):
        directory.mkdir(parents=True, exist_ok=True)
    (root / 'status').write_text(host.read('/var/lib/dpkg/status'))
    (root / 'sources.list').write_text('\n'.join(mirror.sources(mirror.node_release())) + '\n')
    options = ''.join(f'{option};\n' for option in mirror.options())
    (root / 'apt.conf').write_text(CONFIGURATION.format(root=root, keyring=KEYRING) + options)
    environment = dict(os.environ, APT_CONFIG=str(root / 'apt.conf'))
    for command in (['update'], ['install', '--download-only', '--yes', '--no-install-recommends', *names]):
        subprocess.run(['apt-get', '-qq', *command], env=environment, check=True)
    return archives
