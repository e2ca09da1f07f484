# SPDX-License-Identifier: GPL-3.0-or-later
"""The node image: built once from the recipe, then cached."""

import os
import shlex
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleet.bootstrap import bootstrap, is_root
from fleet.cache import cache_directory, prune, unfinished
from fleet.errors import FleetError
from fleet.host import require_programs, require_space
from fleet.lock import locked
from fleet.progress import say
from fleet.recipe import read_recipe

SPACE_TO_BUILD = 3 << 30  # bytes: the tree and the disk, 0.9 GB each, and room to breathe


@dataclass(frozen=True)
class Image:
    """A directory with what QEMU boots and the ssh key that opens it."""

    directory: Path

    @property
    def disk(self):
        """A raw ext4 file system, the whole disk."""
        return self.directory / 'disk.raw'

    @property
    def initrd(self):
        """The initial RAM disk without drivers, a cpio archive. Beside it, `vmlinuz` and `drivers.cpio`: see kernel."""
        return self.directory / 'initrd.img'

    @property
    def kernel_release(self):
        """The `uname -r` of its nodes."""
        return (self.directory / 'kernel-release').read_text().strip()

    @property
    def key(self):
        """The private ssh key of root and user in the image; the public one has the suffix .pub."""
        return self.directory / 'id_ed25519'


def ready_image(packages=()):
    """The image of the present recipe with more packages, from the cache or built now. Raises FleetError."""
    cache = cache_directory()
    recipe = read_recipe(packages)
    image = Image(cache / f'image-{recipe.digest}')
    with locked(cache / 'image.lock', 'the node image'):
        if not image.directory.exists():
            _build(recipe, image)
        os.utime(image.directory)
        prune(cache.glob('image-*/'))
    return image


def prepared_image(directory, packages, change):
    """An image in a directory, as ready_image() builds it, of whose tree of files `change` was called with the path."""
    image = Image(directory)
    shutil.rmtree(directory, ignore_errors=True)
    _build(read_recipe(packages), image, change)
    return image


def _build(recipe, image, change=None):
    """Build beside and rename: an interrupted build leaves no image."""
    say(f'image: building {image.directory.name}, once; this takes about a minute and a half')
    require_programs('mkfs.ext4', 'ssh-keygen')
    require_space(image.directory.parent, SPACE_TO_BUILD)
    new = Image(unfinished(image.directory))
    with _temporary_tree() as tree:
        _make_key(new.key)
        _bootstrap(recipe, tree, new)
        kernel = next(tree.glob('boot/vmlinuz-*'))
        if change:
            change(tree)
        say('image: writing the disk')
        _write_disk(tree, new.disk, recipe.disk_size)
        (new.directory / 'kernel-release').write_text(kernel.name.partition('-')[2] + '\n')
        shutil.copyfile(kernel, new.directory / 'vmlinuz')
        shutil.copyfile(tree / 'boot/drivers.cpio-fleet', new.directory / 'drivers.cpio')
        shutil.copyfile(tree / 'boot/initrd.img-fleet', new.initrd)
    new.directory.rename(image.directory)
    say(f'image: ready in {image.directory}')


def _as_root(*command):
    """The command, run with the rights to the tree: as root, or as root of mmdebstrap's user namespace."""
    return command if is_root() else ('mmdebstrap', '--unshare-helper', *command)


@contextmanager
def _temporary_tree():
    """A path for the tree of the image's files; what is there at the end is removed, whoever owns it."""
    parent = Path(tempfile.mkdtemp(prefix='hpc.msr_safe-'))
    parent.chmod(0o711)  # in a user namespace the tree belongs to subordinate users
    tree = parent / 'tree'
    try:
        yield tree
    finally:
        if tree.exists():
            subprocess.run(_as_root('find', tree, '-xdev', '-mindepth', '1', '-delete'), check=False)
            tree.rmdir()
        parent.rmdir()


def _make_key(path):
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test fleet', '-f', path], check=True)


def _bootstrap(recipe, tree, image):
    """Fill the tree with packages and our files. Raises FleetError."""
    archive = image.directory / 'files.tar'
    archive.write_bytes(recipe.archive(image.key.with_suffix('.pub').read_bytes()))
    hook = f'--essential-hook=tar-in {shlex.quote(str(archive))} /'
    log_path = image.directory.parent / 'build.log'
    bootstrap('image', (hook, *recipe.options), recipe.suite, tree, recipe.sources, log_path)
    archive.unlink()


def _write_disk(tree, disk, size):
    """Make the ext4 file system `disk` (sparse, `size` as mkfs takes it) with the files of the tree."""
    with disk.open('wb') as output:
        # Root of a user namespace may not reach our cache: it writes to what we opened
        os.fchmod(output.fileno(), 0o666)
        mkfs = ('mkfs.ext4', '-q', '-F', '-m', '0', '-d', tree, '/proc/self/fd/1', size)
        made = subprocess.run(_as_root(*mkfs), stdout=output, stderr=subprocess.PIPE, text=True, check=False)
        os.fchmod(output.fileno(), 0o644)
    if made.returncode:
        raise FleetError(f'the image could not be written: {made.stderr.strip()}. Is there space in {disk.parent}?')
