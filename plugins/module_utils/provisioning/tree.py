# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A tree of files that travels to a node: its digest, and packing and unpacking it."""

import hashlib
import io
import os
import shutil
import tempfile
import zipfile

from ..errors import MsrSafeError

IGNORED_DIRECTORIES = ('__pycache__',)


def read_tree(directory, suffixes=None):
    """Return {relative path: bytes} of the files below a directory.

    suffixes: keep only names that end in one of these. Hidden files and
    Python's caches are left out. A missing directory is the empty tree.
    """
    files = {}
    for parent, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if name not in IGNORED_DIRECTORIES and name[0] != '.']
        for name in names:
            if name[0] == '.' or (suffixes and not name.endswith(suffixes)):
                continue
            path = os.path.join(parent, name)
            if not os.path.isfile(path):
                continue
            with open(path, 'rb') as stream:
                files[os.path.relpath(path, directory)] = stream.read()
    return files


def digest_tree(files):
    """Return the sha256 (hex) over names and contents of {relative path: bytes}."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(('%s %d\n' % (name, len(content))).encode('utf-8', 'surrogateescape'))
        digest.update(content)
    return digest.hexdigest()


def pack_tree(files):
    """Return {relative path: bytes} as the bytes of a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(name, content)
    return stream.getvalue()


def read_packed(path):
    """Return {relative path: bytes} of a zip archive in a file. Raises MsrSafeError where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (OSError, zipfile.BadZipfile) as error:
        raise MsrSafeError(
            'What was sent along arrived damaged: %s: %s.' % (path, error), 'Run this again; is the disk full?'
        ) from error


def unpack_tree(archive, directory):
    """Make ``directory`` hold exactly the tree of a zip file: unpacked beside, then exchanged by renaming.

    What an unpacking that was killed left goes; nobody else may be unpacking there.
    """
    parent = os.path.dirname(directory)
    os.makedirs(parent, exist_ok=True)
    prefix = '.' + os.path.basename(directory) + '.'
    for left in [name for name in os.listdir(parent) if name.startswith(prefix)]:
        shutil.rmtree(os.path.join(parent, left), ignore_errors=True)
    beside = tempfile.mkdtemp(prefix=prefix, dir=parent)
    try:
        extract(archive, beside, directory)
        make_readable(beside)
        exchange(beside, directory)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def extract(archive, beside, directory):
    """Extract a zip file into a directory that is to become another. Raises MsrSafeError where the disk is full."""
    with zipfile.ZipFile(archive) as stream:
        try:
            stream.extractall(beside)
        except (IOError, OSError) as error:
            raise MsrSafeError(
                'Cannot write %s: %s.' % (directory, error.strerror or error), 'Free space there.'
            ) from error


def make_readable(directory):
    """Let everyone read a tree, whatever the umask it was made under."""
    for parent, _directories, names in os.walk(directory):
        os.chmod(parent, 0o755)
        for name in names:
            os.chmod(os.path.join(parent, name), 0o644)


def exchange(new, directory):
    """Put the directory ``new`` in the place of another, which stays where it is if that fails."""
    old = new + '.old'
    if os.path.exists(directory):
        os.rename(directory, old)
    try:
        os.rename(new, directory)
    except OSError:
        if os.path.exists(old):
            os.rename(old, directory)
        raise
    shutil.rmtree(old, ignore_errors=True)
