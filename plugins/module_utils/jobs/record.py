# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The record of a job on this node: what its prolog did, for its epilog to undo.

All of it is in a directory that only root may enter, under the job's number:
there is no name in it that a user could choose.
"""

import collections
import contextlib
import fcntl
import os
import stat
import time

from ..errors import MsrSafeError

DIRECTORY = '/run/msr-safe/jobs'
LOCK = DIRECTORY + '/lock'
# The runs of jobs that ended last, for a prolog that comes too late: it waited for a lock, seconds to minutes.
ENDED = DIRECTORY + '/ended'
LATEST = 600
REMEMBERED = 64
# What could not be restored on this node since it booted.
STUCK = DIRECTORY + '/stuck'
# Seconds: a prolog waits for those before it, of other jobs. docs/slurm.md, "Time limits", says what it has to fit in.
PATIENCE = 60
INTERVAL = 0.05

# A job's number as Slurm gives it, or what other resource managers make of one: 42.server, 42[7].server
LETTERS = frozenset('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.[]-')
LONGEST = 64
# All that is in a bare list
OF_LISTS = b'0123456789ABCDEFx \n'

Record = collections.namedtuple('Record', 'job run node uid profile writes began')
Record.__doc__ = """What is known about a job on this node.

job: its number, a text; run: which start of it this is, '' if unknown; node: the name that slurmd has for this host;
uid: its user's number, None if unknown; profile: its name, '' for the node's own list; writes: whether its list lets
registers be written; began: when its prolog did, in seconds.
"""


def is_name(text):
    """Return whether a text can be a job's: none that leads out of the directory is."""
    return 0 < len(text) <= LONGEST and text[0] in '0123456789' and LETTERS.issuperset(text)


def directory_of(job):
    return '%s/%s' % (DIRECTORY, job)


def list_of(job):
    """Return where the list is that a job got: that of its profile may be another one by the time it ends."""
    return directory_of(job) + '/list'


def set_of(job):
    """Return where the list is of what root set for a job."""
    return directory_of(job) + '/set'


def refusal_of(job):
    """Return where the reason is for which a job may not run here; the SPANK plugin tells it."""
    return directory_of(job) + '/refused'


@contextlib.contextmanager
def jobs_locked(machine, patience=PATIENCE):
    """Hold the lock of all records: prologs and epilogs of a node act one after the other."""
    make_directory(machine)
    descriptor = os.open(machine.path(LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + patience
        while not take(descriptor):
            if time.monotonic() > deadline:
                raise MsrSafeError(
                    'The prolog or epilog of another job holds %s for more than %g s.' % (LOCK, patience),
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
    records = [read_record(machine, name) for name in machine.list(DIRECTORY) if is_name(name)]
    found = sorted((record for record in records if record), key=lambda record: (record.began, record.job))
    return collections.OrderedDict((record.job, record) for record in found)


def read_record(machine, job):
    """Return the Record of a job, or None. A damaged one is that of a job of nobody's, which may have written."""
    text = machine.read_text(directory_of(job) + '/job')
    if text is None:
        return None
    fields = dict(line.partition('=')[::2] for line in text.splitlines())
    try:
        return Record(
            job,
            fields['run'],
            fields['node'],
            int(fields['uid']),
            fields['profile'],
            fields['writes'] != 'False',
            float(fields['began']),
        )
    except (KeyError, ValueError):
        return Record(job, '', '', None, '', True, 0.0)


def write_record(machine, record, text, set_text=''):
    """Put down a job, its list and that of what root sets for it: the lists first, a record never is without."""
    make_job_directory(machine, record.job)
    if set_text:
        write_file(machine, set_of(record.job), set_text)
    write_file(machine, list_of(record.job), text)
    fields = [(field, ' '.join(str(getattr(record, field)).split())) for field in Record._fields if field != 'job']
    write_file(machine, directory_of(record.job) + '/job', ''.join('%s=%s\n' % field for field in fields))


def read_list_of(machine, job):
    """Return the list that a job got, as in bare_list.py; the empty list where that is not known."""
    content = machine.read(list_of(job)) or b''
    return '' if content.translate(None, OF_LISTS) else content.decode('ascii')


def write_refusal(machine, job, reason):
    make_job_directory(machine, job)
    write_file(machine, refusal_of(job), reason)


def make_job_directory(machine, job):
    with contextlib.suppress(FileExistsError):
        os.mkdir(machine.path(directory_of(job)), 0o700)


def write_file(machine, path, text):
    write_bytes(machine, path, text.encode('utf-8', 'backslashreplace'))


def write_bytes(machine, path, content):
    """Write a file whole or not at all. It need not outlive a power cut: the directory does not."""
    beside = machine.path(path) + '~'
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, 'wb') as stream:
            stream.write(content)
        os.rename(beside, machine.path(path))
    except OSError as error:
        raise MsrSafeError('Cannot write %s: %s.' % (path, error.strerror), 'Free space in /run.') from error


def remove_record(machine, job):
    """Forget a job: its record first, then its list and its refusal."""
    for name in ['job', *machine.list(directory_of(job))]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(machine.path('%s/%s' % (directory_of(job), name)))
    with contextlib.suppress(OSError):
        os.rmdir(machine.path(directory_of(job)))


def remember_end(machine, job, run):
    """Remember for a while that a run of a job is over here, but not of a run that cannot be told from the next."""
    if run:
        runs = [*read_ended(machine), (job, run, '%d' % time.time())]
        write_file(machine, ENDED, ''.join(' '.join(each) + '\n' for each in runs[-REMEMBERED:]))


def has_ended(machine, job, run):
    """Return whether this run of a job is over here: its prolog was held up, or orphaned by a restart of slurmd."""
    return any(each[:2] == (job, run) for each in read_ended(machine))


def read_ended(machine):
    """Return the runs of jobs that ended a short while ago, [(job, run, when)], all texts.

    A slurmctld that lost its state gives the same numbers to other jobs.
    """
    runs = [tuple(line.split(' ')) for line in (machine.read_text(ENDED) or '').splitlines()]
    now = time.time()  # The clock may have been put back since
    return [each for each in runs if len(each) == 3 and each[2].isdigit() and abs(now - int(each[2])) < LATEST]
