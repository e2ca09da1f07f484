# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The machine that is looked at or changed: its file system and its commands."""

import errno
import os

from .errors import MsrSafeError


class Machine:
    """A node whose file system starts at ``root``.

    With a directory as root this is a fake node: everything below reads and
    writes there, and commands are refused unless the caller gives ``run``, a
    function from an argument list to ``(return code, output)``.
    """

    def __init__(self, root='/', run=None):
        self.root = root
        self.run = run or (run_command if root == '/' else refuse_command)

    def path(self, path):
        """Return where ``path`` (absolute on the node) is for this process. Raises MsrSafeError."""
        if '\0' in path:
            raise MsrSafeError('%r is not a path.' % path, 'Take the null character out.')
        return path if self.root == '/' else os.path.join(self.root, path.lstrip('/'))

    def exists(self, path):
        return os.path.exists(self.path(path))

    def is_readable(self, path):
        return os.access(self.path(path), os.R_OK)

    def read(self, path):
        """Return the bytes of a file, or None where there is no such file."""
        try:
            with open(self.path(path), 'rb') as stream:
                return stream.read()
        except (IOError, OSError) as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENXIO):
                return None
            raise unreadable(path, error) from error

    def read_text(self, path):
        """Return the text of a file without surrounding blanks, or None."""
        content = self.read(path)
        return None if content is None else content.decode('utf-8', 'replace').strip()

    def list(self, path):
        """Return the sorted names in a directory; [] where there is none."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError:
            return []

    def write(self, path, content, mode=0o644):
        """Put the bytes ``content`` at ``path``: whole or not at all.

        Written beside, flushed to disk, then renamed. Missing directories are
        made. Raises MsrSafeError.
        """
        target = os.path.abspath(self.path(path))
        directory = os.path.dirname(target)
        beside = None
        try:
            os.makedirs(directory, exist_ok=True)
            name = path_beside(target)
            handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            beside = name
            with os.fdopen(handle, 'wb') as stream:
                stream.write(content)
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            os.rename(beside, target)
            beside = None
            sync_directory(directory)
        except (IOError, OSError) as error:
            remedy = root_remedy(error) or 'Choose a path on a writable file system, or free space there.'
            raise MsrSafeError('Cannot write %s: %s.' % (path, error.strerror), remedy) from error
        finally:
            if beside is not None:
                os.unlink(beside)

    def remove(self, path):
        """Remove a file if it is there."""
        try:
            os.unlink(self.path(path))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise MsrSafeError('Cannot remove %s: %s.' % (path, error.strerror), root_remedy(error)) from error

    def command(self, *arguments):
        """Run a command that has to succeed and return its output.

        Raises MsrSafeError with the command and what it said.
        """
        code, output = self.run(list(arguments))
        if code != 0:
            raise MsrSafeError('%s failed (exit %d): %s' % (' '.join(arguments), code, output.strip()))
        return output


def path_beside(path):
    """Return the path of a new file beside another; 8 random characters end it."""
    directory, name = os.path.split(path)
    return os.path.join(directory, '.%s.%s' % (name, os.urandom(4).hex()))


def run_command(arguments):
    """Return (exit code, output and errors as text); 127 where there is no such command."""
    import subprocess  # Takes long to load, and most calls run no command

    environment = dict(os.environ, LC_ALL='C', PATH='/usr/sbin:/usr/bin:/sbin:/bin')
    try:
        process = subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        return 127, '%s: %s' % (arguments[0], error.strerror)
    output = process.communicate()[0]
    return process.returncode, output.decode('utf-8', 'replace')


def refuse_command(arguments):
    """The commands of a fake node: none."""
    return 127, '%s: this machine is a directory and runs no commands' % arguments[0]


def sync_directory(directory):
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unreadable(path, error):
    """Return the MsrSafeError for an IOError or OSError met on reading ``path``."""
    return MsrSafeError('Cannot open %s: %s.' % (path, error.strerror), root_remedy(error))


def root_remedy(error):
    """Return the remedy where root would have been allowed what an OSError refused to us, or None."""
    is_refused = error.errno in (errno.EACCES, errno.EPERM) and os.geteuid() != 0
    return 'Run as root (in Ansible: become: true).' if is_refused else None
