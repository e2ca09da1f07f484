# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""An msr-job that stands by: Python runs and all is loaded before a prolog or an epilog wants it.

A job that does nothing takes 1.5 times as long with two Pythons that start and do nothing. So one waits on a socket
that only root reaches, and has a child of its own do what is asked. Who asks is files/spank/standby.c, which says how
the two talk. Where nobody stands by, a program is started instead: nothing depends on this.
"""

import array
import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import sys

from ..errors import MsrSafeError
from ..jobs.record import make_directory
from ..jobs.standby import PATH, stands_by
from ..layout import JOB_COMMAND, PACKAGE

# Seconds for who asks to say the next word.
PATIENCE = 10
LONGEST = 65536
# More who ask at once start programs of their own.
WAITING = 64


def stand_by(machine, main):
    """Have main(arguments, machine, environment) do what is asked, until the program here is another one.

    Told to stop (SIGTERM), it waits for what was begun; else that goes on without it. Raises MsrSafeError.
    """
    program = identity(machine)
    preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # The kernel buries children
    signal.signal(signal.SIGTERM, stop)
    try:
        with listen(machine) as listener:
            tell_systemd('READY=1')
            serve_all(listener, lambda: identity(machine) == program, machine, main)
    except SystemExit:
        wait_for_children()
    return 0


def stop(*_signal):
    raise SystemExit


def serve_all(listener, is_current, machine, main):
    while True:
        connection, _address = listener.accept()
        with connection:
            if not is_current():
                return
            if is_own(connection):
                serve_in_child(listener, connection, machine, main)


def wait_for_children():
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, 0)


def preload():
    """Import also what most jobs do not need; a child has it for nothing."""
    import syslog  # noqa: F401

    from ..jobs import controls, restoration, values  # noqa: F401


def identity(machine):
    """Return what tells whether the library or Python were replaced: this is of the ones that it began with.

    Not by inode: a directory on an overlay has another one each time that the kernel has to look for it (in the
    kernel's overlayfs.rst, "Inode properties": without xino, across file systems).
    """
    return [changed(path) for path in (machine.path(PACKAGE), machine.path(JOB_COMMAND), sys.executable)]


def changed(path):
    """Return when a file or directory was changed last, None where there is none."""
    try:
        return os.stat(path).st_ctime_ns
    except OSError:
        return None


def listen(machine):
    """Return the socket that is asked: in root's own directory, and for root only. Raises MsrSafeError."""
    if stands_by(machine):
        raise MsrSafeError('An msr-job stands by here already.', 'See: systemctl status msr-safe-standby')
    make_directory(machine)
    machine.remove(PATH)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    umask = os.umask(0o177)
    try:
        listener.bind(machine.path(PATH))
    finally:
        os.umask(umask)
    listener.listen(WAITING)
    return listener


def tell_systemd(word):
    """As sd_notify(3): a unit of Type=notify is started when it says so."""
    address = os.environ.get('NOTIFY_SOCKET', '')
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notes:
            notes.sendto(word.encode('ascii'), '\0' + address[1:] if address[0] == '@' else address)


def is_own(connection):
    """Return whether who asks is who this is: root."""
    size = struct.calcsize('3i')
    _pid, uid, _gid = struct.unpack('3i', connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return uid == os.geteuid()


def serve_in_child(listener, connection, machine, main):
    """Leave it to a child. Where there can be none, who asks starts a program."""
    with contextlib.suppress(OSError):
        if os.fork() == 0:
            try:
                for number in (signal.SIGCHLD, signal.SIGTERM):
                    signal.signal(number, signal.SIG_DFL)
                listener.close()
                serve(connection, machine, main)
            finally:
                os._exit(0)


def serve(connection, machine, main):
    """Do what is asked on a connection, and tell the exit status there."""
    connection.settimeout(PATIENCE)
    request, output = receive(connection)
    connection.sendall(b'ready')
    if connection.recv(8) != b'go':
        return
    connection.settimeout(None)
    die_with(connection)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    variables, _nothing, arguments = request.partition(b'\0\0')
    environment = dict(os.fsdecode(each).partition('=')[::2] for each in variables.split(b'\0'))
    os.environ.clear()
    os.environ.update(environment)
    status = status_of(main, [os.fsdecode(each) for each in arguments.split(b'\0')[:-1]], machine, environment)
    connection.sendall(bytes([status]))


def status_of(main, *arguments):
    """Return the exit status of a program, however it ends."""
    try:
        status = main(*arguments)
    except SystemExit as end:
        status = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status or 0


def receive(connection):
    """Return (the request, a descriptor for what is printed)."""
    descriptors = array.array('i')
    request, rights, _flags, _address = connection.recvmsg(LONGEST, socket.CMSG_LEN(descriptors.itemsize))
    for level, kind, content in rights:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content[: descriptors.itemsize])
    return request, descriptors[0]


def die_with(connection):
    """Have this process killed as who asked for it is: it would be, if that had started it."""

    def look(*_signal):
        if is_closed(connection):
            os.kill(os.getpid(), signal.SIGKILL)

    signal.signal(signal.SIGIO, look)
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, fcntl.F_SETFL, fcntl.fcntl(connection, fcntl.F_GETFL) | os.O_ASYNC)
    look()


def is_closed(connection):
    poll = select.poll()
    poll.register(connection, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _descriptor, event in poll.poll(0))
