# SPDX-License-Identifier: GPL-3.0-or-later
"""The sanitizer kernel: built once from Debian's source, then cached."""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fleet.cache import cache_directory, prune, unfinished
from fleet.errors import FleetError
from fleet.host import require_space
from fleet.lock import locked
from fleet.progress import run_with_progress, say

FRAGMENT = Path(__file__).resolve().parent.parent / 'kernel.config'
SPACE_TO_BUILD = 8 << 30  # bytes: source and objects

BUILD = r"""
tar --extract --file="$SOURCE" --strip-components=1
make x86_64_defconfig kvm_guest.config
scripts/kconfig/merge_config.sh -m .config "$FRAGMENT"
make olddefconfig
make --jobs="$(nproc)" bzImage modules
# A module needs the headers and scripts that are there now, not the objects
find . \( -name '*.[oa]' -o -name '*.cmd' \) ! -path './scripts/*' ! -path './tools/*' -delete
rm vmlinux
mv arch/x86/boot/bzImage ../vmlinuz
"""


@dataclass(frozen=True)
class SanitizerKernel:
    """A directory with vmlinuz, which has all drivers of a virtual node built in, and the tree to compile for it."""

    directory: Path

    @property
    def tree(self):
        """What `make -C` takes to compile a module."""
        return self.directory / 'tree'


def ready_kernel():
    """The SanitizerKernel of the present fragment and source, from the cache or built now. Raises FleetError."""
    kernels = cache_directory() / 'kernels'
    kernels.mkdir(exist_ok=True)
    kernel = SanitizerKernel(kernels / f'sanitizer-{_digest()}')
    with locked(kernels / 'sanitizer.lock', 'the sanitizer kernel'):
        if not kernel.directory.exists():
            _build(kernel)
        os.utime(kernel.directory)
        prune(kernels.glob('sanitizer-*/'))
    return kernel


def _source():
    """The source that is installed, the newest if there are several. Raises FleetError."""
    sources = sorted(Path('/usr/src').glob('linux-source-*.tar.xz'))
    if not sources:
        raise FleetError('there is no kernel source in /usr/src. Install it: tests/tools/apt-install test-kasan')
    return sources[-1]


def _digest():
    query = ['dpkg-query', '--show', _source().name.removesuffix('.tar.xz')]
    version = subprocess.run(query, check=True, capture_output=True).stdout
    return hashlib.sha256(version + BUILD.encode() + FRAGMENT.read_bytes()).hexdigest()[:12]


def _build(kernel):
    say(f'sanitizer kernel: building {kernel.directory.name}, once; this takes 11 minutes on two idle cores')
    require_space(kernel.directory.parent, SPACE_TO_BUILD)
    new = SanitizerKernel(unfinished(kernel.directory))
    new.tree.mkdir()
    log = kernel.directory.parent / 'sanitizer.log'
    environment = {'SOURCE': str(_source()), 'FRAGMENT': str(FRAGMENT)}
    build = ['sh', '-ec', f'cd "$0" && {BUILD.strip()}', str(new.tree)]
    with log.open('wb') as output:
        code = run_with_progress('sanitizer kernel', build, output, _compiled(), environment, interval=30)
    if code:
        raise FleetError(f'the sanitizer kernel could not be built. See {log}')
    new.directory.rename(kernel.directory)


def _compiled():
    """A function from make's lines to how much it has compiled, now and then, or None."""
    count = 0

    def milestone(line):
        nonlocal count
        count += line.startswith('  CC ')
        return f'{count} files compiled' if line.startswith('  CC ') and count % 500 == 0 else None

    return milestone
