# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of the node image: everything that decides what is in it."""

import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from fleet import mirror

SOURCE = Path(__file__).resolve().parent.parent / 'recipe'


@dataclass(frozen=True)
class Recipe:
    """What mmdebstrap is told, and the files (path in the image: content) that go in before the kernel is installed."""

    options: tuple[str, ...]
    suite: str
    sources: tuple[str, ...]
    files: dict[str, bytes]
    disk_size: str = '8G'

    @property
    def digest(self):
        """12 hex digits, others for every other recipe."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]

    def archive(self, public_key):
        """The files, with the ssh key (bytes) that opens the image, as a tar archive (bytes) of files owned by root."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode='w') as archive:
            for path, content in {**self.files, 'usr/share/fleet/id_ed25519.pub': public_key}.items():
                member = tarfile.TarInfo(path)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()


def read_recipe(packages=()):
    """The recipe in tests/fleet/recipe with more packages, and the host's mirror."""
    root = SOURCE / 'root'
    files = {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob('*')) if path.is_file()}
    release = mirror.node_release()
    return Recipe(_options(packages), release, tuple(mirror.sources(release)), files)


def _options(more):
    lines = (SOURCE / 'packages.txt').read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith('#')]
    return (
        '--variant=minbase',
        '--include=' + ','.join([*packages, *more]),
        *(f'--aptopt={option}' for option in mirror.options()),
        '--dpkgopt=force-unsafe-io',
        '--dpkgopt=path-exclude=/usr/share/man/*',
        '--dpkgopt=path-exclude=/usr/share/locale/*',
        '--customize-hook=' + (SOURCE / 'finish').read_text(),
    )
