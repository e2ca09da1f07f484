# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's kernels: each with a tree to compile in and what a node boots, made once, then cached."""

import datetime
import hashlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

import yaml
from fleet import mirror
from fleet.bootstrap import bootstrap_as_ours
from fleet.cache import cache_directory, prune, unfinished
from fleet.errors import FleetError
from fleet.host import require_space
from fleet.lock import locked
from fleet.progress import say
from fleet.recipe import SOURCE

HERE = Path(__file__).resolve().parent.parent
INSTALL_KERNEL = HERE / 'install-kernel'
PACK_DRIVERS = SOURCE / 'root/usr/share/fleet/pack-drivers'

OPTIONS = (
    '--variant=minbase',
    '--dpkgopt=force-unsafe-io',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
)
SPACE_TO_BUILD = 3 << 30  # bytes: the tree and its archive, and room to breathe


@dataclass(frozen=True)
class Kernel:
    """One row of the table. arguments: what the kernel boots with."""

    name: str
    suite: str
    flavour: str
    arguments: str = ''

    @property
    def tree(self):
        """A Debian system with the kernel's headers and their compiler."""
        return self._directory / 'tree'

    @property
    def boot_directory(self):
        """What a node of the fleet takes as its `kernel`."""
        return self.tree / 'kernel'

    @property
    def release(self):
        """The kernel's `uname -r`."""
        return (self.boot_directory / 'release').read_text().strip()

    @property
    def _directory(self):
        # Suites go on: every week a tree is made anew
        week = datetime.date.today().isocalendar()[:2]
        facts = [self.suite, self.flavour, week, OPTIONS, INSTALL_KERNEL.read_bytes(), PACK_DRIVERS.read_bytes()]
        digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
        return cache_directory() / 'kernels' / f'debian-{self.name}-{digest}'

    def make_ready(self):
        """Make the tree, unless it is in the cache. Raises FleetError."""
        kernels = self._directory.parent
        kernels.mkdir(exist_ok=True)
        with locked(kernels / f'debian-{self.name}.lock', f'the kernel {self.name}'):
            if not self._directory.exists():
                self._build()
            os.utime(self._directory)
            prune(kernels.glob(f'debian-{self.name}-*/'))

    def _build(self):
        say(f'{self.name}: making {self._directory.name}, once a week; this takes two minutes or more')
        require_space(self._directory.parent, SPACE_TO_BUILD)
        new = unfinished(self._directory)
        log = new.parent / f'debian-{self.name}.log'
        bootstrap_as_ours(self.name, self._options(), self.suite, new / 'tree', mirror.without_updates(self.suite), log)
        new.rename(self._directory)

    def _options(self):
        return (
            *OPTIONS,
            *(f'--aptopt={option}' for option in mirror.options()),
            '--customize-hook=mkdir "$1/kernel"',
            f'--customize-hook=upload {shlex.quote(str(PACK_DRIVERS))} /pack-drivers',
            f'--customize-hook=export FLAVOUR={self.flavour}\n{INSTALL_KERNEL.read_text()}',
        )


def read_kernels(names=()):
    """The Kernels of these names, or all. Raises FleetError if one is not in the table."""
    table = yaml.safe_load((HERE / 'kernels.yml').read_text())
    unknown = [name for name in names if name not in table]
    if unknown:
        raise FleetError(f'there is no kernel {", ".join(unknown)}; there are {", ".join(table)}.')
    return [Kernel(name, **row) for name, row in table.items() if not names or name in names]
