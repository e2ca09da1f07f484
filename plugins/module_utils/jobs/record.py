# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The record of a job on this node: what its prolog did, for its epilog to undo.

All of it is in a directory that only root may enter, under the job's number:
there is no name in it that a user could choose.
"""

import collections
import contextlib
import fcntl
import json
import os
import shutil
import stat
import time

from ..errors import MsrSafeError

DIRECTORY = '/run/msr-safe/jobs'
LOCK = DIRECTORY + '/lock'
# Seconds: a prolog waits for those before it, of other jobs; Slurm has a time limit of its own.
PATIENCE = 120
INTERVAL = 0.05

Record = collections.namedtuple('Record', 'job uid profile began')
Record.__doc__ = """The number of a job, its user's, its profile ('': the node's own list), when its prolog began."""


def directory_of(job):
    return '%s/%d' % (DIRECTORY, job)


def snapshot_of(job):
    """Return where msrsave puts what the registers held before a job."""
    return directory_of(job) + '/registers'


def refusal_of(job):
    """Return where the reason is for which a job may not run here; the SPANK plugin tells it."""
    return directory_of(job) + '/refused'


@contextlib.contextmanager
def jobs_locked(machine):
    """Hold the lock of all records: prologs and epilogs of a node act one after the other."""
    make_directory(machine)
    descriptor = os.open(machine.path(LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + PATIENCE
        while not take(descriptor):
            if time.monotonic() > deadline:
                raise MsrSafeError(
                    'The prolog or epilog of another job holds %s for more than %d s.' % (LOCK, PATIENCE),
                    'See which with: fuser -v %s' % LOCK,
                )
            time.sleep(INTERVAL)
        yield
    finally:
        os.close(descriptor)


def take(descriptor):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except (IOError, OSError):
        return False


def make_directory(machine):
    """Make the directory of all records, for root only. Raises MsrSafeError where it is somebody else's to change."""
    parent = os.path.dirname(DIRECTORY)
    os.makedirs(machine.path(os.path.dirname(parent)), exist_ok=True)
    for path, mode in ((parent, 0o755), (DIRECTORY, 0o700)):
        with contextlib.suppress(FileExistsError):
            os.mkdir(machine.path(path), mode)
        status = os.lstat(machine.path(path))
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o777 & ~mode:
            raise MsrSafeError(
                '%s is not a directory of root with mode %04o.' % (path, mode), 'Find out who made it, and remove it.'
            )


def read_records(machine):
    """Return {job: Record}, in the order in which the jobs began."""
    records = [read_record(machine, int(name)) for name in machine.list(DIRECTORY) if name.isdigit()]
    found = sorted((record for record in records if record), key=lambda record: (record.began, record.job))
    return collections.OrderedDict((record.job, record) for record in found)


def read_record(machine, job):
    """Return the Record of a job, or None. A damaged one is that of a job of nobody's, with the node's own list."""
    text = machine.read_text(directory_of(job) + '/job')
    if text is None:
        return None
    try:
        content = json.loads(text)
        return Record(job, int(content['uid']), str(content['profile']), float(content['began']))
    except (KeyError, TypeError, ValueError):
        return Record(job, None, '', 0.0)


def write_record(machine, record):
    content = {'uid': record.uid, 'profile': record.profile, 'began': record.began}
    machine.write(directory_of(record.job) + '/job', (json.dumps(content) + '\n').encode('utf-8'), mode=0o600)


def remove_record(machine, job):
    """Forget a job: its record, its snapshot, its refusal."""
    shutil.rmtree(machine.path(directory_of(job)), ignore_errors=True)


def hand_over(machine, job, other):
    """Leave a job's snapshot to another one that stays on the node."""
    os.rename(machine.path(snapshot_of(job)), machine.path(snapshot_of(other)))
