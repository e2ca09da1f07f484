# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The machine that is looked at or changed: its file system and its commands."""

import collections
import errno
import os

from .errors import MsrSafeError

# What is there of the kernel and the services that run: in an image, of another system than its own
OF_RUNNING_SYSTEM = ('/proc', '/sys', '/run', '/dev/cpu')
# Programs that change these
ACTING_ON_IT = ('modprobe', 'insmod', 'rmmod', 'systemctl', 'udevadm', 'sysctl', 'dmesg')

# As many symbolic links as the kernel follows (MAXSYMLINKS, include/linux/namei.h)
MOST_LINKS = 40


class Machine:
    """A node whose file system starts at ``root``.

    With a directory as root this is a fake node: everything below reads and
    writes there, and commands are refused unless the caller gives ``run``, a
    function from an argument list to ``(return code, output)``.

    runs: whether its system is the one that runs. Of an image, which does not,
    there are files only: nothing is seen of the kernel and the services that
    run here, and nothing is done to them.
    """

    def __init__(self, root='/', run=None, runs=True):
        self.root, self.runs = root, runs
        run = run or (run_command if root == '/' else refuse_command)
        self.run = run if runs else only_on_files(run)

    def path(self, path):
        """Return where ``path`` (absolute on the node) is for this process. Raises MsrSafeError.

        Links on the way mean what they mean on the node; one at its end is not followed.
        """
        place = self.place(path, follow=False)
        if place is None:
            raise MsrSafeError('%s is not that of the image, but of the system that runs here.' % path)
        return place

    def place(self, path, follow=True):
        """Return as path() does, a link at the end followed; None for what belongs to the system that runs."""
        if '\0' in path:
            raise MsrSafeError('%r is not a path.' % path, 'Take the null character out.')
        if self.root == '/' and self.runs:
            return path
        resolved = resolve(self.root, path, follow)
        if not self.runs and is_below(resolved, OF_RUNNING_SYSTEM):
            return None
        return os.path.join(self.root, resolved.lstrip('/'))

    def exists(self, path):
        place = self.place(path)
        return place is not None and os.path.exists(place)

    def is_readable(self, path):
        place = self.place(path)
        return place is not None and os.access(place, os.R_OK)

    def read(self, path):
        """Return the bytes of a file, or None where there is no such file."""
        place = self.place(path)
        if place is None:
            return None
        try:
            with open(place, 'rb') as stream:
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
        place = self.place(path)
        if place is None:
            return []
        try:
            return sorted(os.listdir(place))
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


def machine_of(root):
    """Return the machine that a task is about: the one that it runs on, or the image in a directory.

    root: the directory, or None. Raises MsrSafeError where no image is there.
    """
    if not root:
        return Machine(runs=is_running_system())
    if not os.path.isabs(root) or not os.path.isdir(root) or os.path.samefile(root, '/'):
        raise MsrSafeError(
            'There is no image in %s on this host.' % root,
            'Name the root directory of the image, the whole path of it, in msr_safe_root.',
        )
    missing = [name for name in ('etc', 'usr') if not os.path.isdir(os.path.join(root, name))]
    if missing:
        raise MsrSafeError(
            'There is no image in %s: it has no directory %s.' % (root, ' and no '.join(missing)),
            'Name the root directory of the image in msr_safe_root.',
        )
    return Machine(root, run=lambda arguments: run_command(['chroot', root, *arguments]), runs=False)


def is_running_system():
    """Return whether the files that this process sees are of the system that runs: not so in a chroot or a container.

    By the signs of systemd: sd_booted(3), and what its running_in_chroot() compares. An ordinary user, who may not look
    at the root of process 1, is in no chroot, which takes root. A root who may not is one of a container.
    """
    if not os.path.isdir('/run/systemd/system') or os.path.exists('/run/systemd/container'):
        return False
    try:
        return os.path.samefile('/proc/1/root', '/')
    except OSError as error:
        return error.errno in (errno.EACCES, errno.EPERM) and os.geteuid() != 0


def resolve(root, path, follow):
    """Return a path without links, as it is below another root directory, which no link leads out of.

    follow: whether a link at its end is resolved, too. Raises MsrSafeError where links go in a circle.
    """
    here, parts, links = '', collections.deque(path.split('/')), 0
    while parts:
        part = parts.popleft()
        if part in ('', '.', '..'):
            here = os.path.dirname(here) if part == '..' else here
            continue
        there = '%s/%s' % (here.rstrip('/'), part)
        place = os.path.join(root, there.lstrip('/'))
        if not ((follow or any(parts)) and os.path.islink(place)):
            here = there
            continue
        links += 1
        if links > MOST_LINKS:
            raise MsrSafeError('Cannot open %s: %s.' % (path, os.strerror(errno.ELOOP)), 'Mend the symbolic links.')
        target = os.readlink(place)
        here = '' if target.startswith('/') else here
        parts.extendleft(reversed(target.split('/')))
    return here or '/'


def is_below(path, directories):
    return any(path == directory or path.startswith(directory + '/') for directory in directories)


def only_on_files(run):
    """Return a function that runs commands as ``run`` does, less those that act on the system that runs."""

    def run_on_files(arguments):
        if arguments[0].rpartition('/')[2] in ACTING_ON_IT:
            return 126, '%s: not for an image, it would act on the system that runs here' % arguments[0]
        return run(arguments)

    return run_on_files


def remove_leftovers(machine, path):
    """Remove what writes of a file that were killed left beside it. Nobody else may be writing it."""
    import re  # Takes long to load, and prologs and epilogs need none

    directory, name = os.path.split(path)
    leftover = re.compile(r'\.%s\.[0-9a-f]{8}\Z' % re.escape(name))
    for other in machine.list(directory or '.'):
        if leftover.match(other):
            machine.remove(os.path.join(directory, other))


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
            # Closed at once; an image may have no /dev/null
            stdin=subprocess.PIPE,
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
