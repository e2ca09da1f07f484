# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Survivors of a job: its processes that still have a device open, and would go on under the next job."""

import contextlib
import os
import stat
import time

from ..errors import MsrSafeError
from ..hardware.devices import PARAMETERS, taken_majors

# Seconds until what was killed has closed its descriptors.
PATIENCE = 2
REFERENCES = '/sys/module/msr_safe/refcnt'

# File systems that hold device nodes, and say what they hold without asking anybody. A file server that is away, or a
# user's own FUSE (also below an overlay), could keep whoever asks for ever; nobody but root puts a device there.
OF_DEVICES = frozenset(
    ('devtmpfs', 'tmpfs', 'ramfs', 'rootfs', 'ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'zfs', 'f2fs', 'squashfs', 'erofs')
)
# A file on a mount that nobody shows: unmounted while it was open, or outside of what its process sees. It is not asked
# what it is, and may be a device.
UNSEEN = 'what no mount shows'


def end_survivors(machine, records, kill):
    """Kill what is left of jobs with a device open, or only find it; return who that is, a line each.

    The kernel module counts open descriptors, wherever they are: where it has none, nobody needs to be looked for.
    Root's processes are nobody's job.
    """
    found, deadline = [], time.monotonic() + PATIENCE
    while has_users(machine):
        survivors = [each for each in holders(machine) if is_of_jobs(machine, each, records)]
        found += [each for each in survivors if each not in found]
        if not survivors or not kill or time.monotonic() >= deadline:
            break
        for pid, _command, _device in survivors:
            kill_process(pid)
        time.sleep(0.02)
    verb = 'was killed: it had' if kill else 'still has'
    return ['%s (pid %d) %s %s open' % (command, pid, verb, device) for pid, command, device in found]


def kill_process(pid):
    from signal import SIGKILL  # Takes long to load, and most jobs leave nobody

    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, SIGKILL)


def find_hidden(machine):
    """Return a line about open descriptors that no process shows, as one in the queue of a socket."""
    count = machine.read_text(REFERENCES)
    if count in (None, '0') or any(device != UNSEEN for _pid, _command, device in holders(machine)):
        return []
    return ['a device is open (%s times) that no process shows' % count]


def has_users(machine):
    """Return whether anybody has a device open; True where the kernel does not tell."""
    return machine.read_text(REFERENCES) != '0'


def holders(machine):
    """Yield who has one of the module's devices open, or perhaps (UNSEEN), (pid, command, device).

    Devices are known by their numbers: in a container they have any path.
    """
    majors = {major: name for major, name in taken_majors(machine).items() if name in PARAMETERS}
    mounts = Mounts(machine)
    for pid in machine.list('/proc') if majors else []:
        device = pid.isdigit() and open_device_of(machine, pid, majors, mounts)
        if device:
            yield int(pid), command_of(machine, pid), device


def command_of(machine, pid):
    """Return what a process calls itself, which may be anything, as a word of a line in a log."""
    name = text_of(machine, pid, 'comm') or '?'
    return ''.join(each if each.isalnum() or each in ' -_.:/+@' else '?' for each in name)


def open_device_of(machine, pid, majors, mounts):
    """Return the name of a device that a process has open, UNSEEN if it may have one, or None."""
    directory, found = '/proc/%s/fd' % pid, None
    for descriptor in machine.list(directory):
        path = machine.path('%s/%s' % (directory, descriptor))
        try:
            link = os.readlink(path)
            kind = mounts.type_of(pid, descriptor) if link.startswith('/') else None
            if kind in OF_DEVICES:
                status = os.stat(path)
                if stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) in majors:
                    return majors[os.major(status.st_rdev)]
        except OSError:
            continue
        if kind == UNSEEN and not link.endswith(' (deleted)'):  # As memory that has a name only, on the kernel's mounts
            found = UNSEEN
    return found


class Mounts:
    """The mounts that processes see, as far as they were asked for. The kernel alone says them."""

    def __init__(self, machine):
        self.machine, self.types, self.asked = machine, {}, set()
        self.read('self')

    def type_of(self, pid, descriptor):
        """Return the type of the file system that a descriptor is of, or UNSEEN; None where it was closed meanwhile."""
        lines = text_of(self.machine, pid, 'fdinfo/' + descriptor).splitlines()
        mount = next((line.split()[1] for line in lines if line.startswith('mnt_id:')), None)
        if mount not in self.types and pid not in self.asked:
            self.read(pid)
        return self.types.get(mount, UNSEEN) if mount else None

    def read(self, pid):
        """Learn the mounts that a process sees, below its root. As proc(5) has it: MOUNT … - TYPE SOURCE …"""
        self.asked.add(pid)
        for line in text_of(self.machine, pid, 'mountinfo').splitlines():
            mount, _blank, rest = line.partition(' ')
            self.types[mount] = rest.partition(' - ')[2].split(' ')[0]


def text_of(machine, pid, name):
    """Return what the kernel says about a process, '' where that is over: it can end at any time."""
    try:
        return machine.read_text('/proc/%s/%s' % (pid, name)) or ''
    except MsrSafeError:
        return ''


def is_of_jobs(machine, holder, records):
    """Return whether a process is of one of the jobs: of its user, or in its control group, as in a container."""
    pid = holder[0]
    try:
        uids = uids_of(machine, pid)
    except OSError:
        return False
    groups = text_of(machine, pid, 'cgroup').split('/')
    groups = [part.strip() for line in groups for part in line.split('\n')]
    return any((record.uid and record.uid in uids) or 'job_' + record.job in groups for record in records)


def uids_of(machine, pid):
    """Return the users that a process is of: also whose it was before it ran a program of root's. Raises OSError."""
    lines = text_of(machine, pid, 'status').splitlines()
    return {os.stat(machine.path('/proc/%d' % pid)).st_uid}.union(
        int(uid) for line in lines if line.startswith('Uid:') for uid in line.split()[1:]
    )
