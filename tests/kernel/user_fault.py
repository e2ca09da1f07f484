# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Memory whose first access waits until the test provides it (userfaultfd), as a network file system's might."""

import ctypes
import fcntl
import mmap
import os
import struct
import threading

from msr_devices import libc

USERFAULTFD_CALL = 323
UFFDIO_API = 0xC018AA3F
UFFDIO_REGISTER = 0xC020AA00
UFFDIO_COPY = 0xC028AA03
API_VERSION = 0xAA
MISSING = 1
PAGE = 4096


class LatePage:
    """A page; `address` is where whoever touches it waits."""

    def __init__(self):
        self._memory = mmap.mmap(-1, PAGE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._fd = libc.syscall(USERFAULTFD_CALL, os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), 'userfaultfd')
        fcntl.ioctl(self._fd, UFFDIO_API, bytearray(struct.pack('=QQQ', API_VERSION, 0, 0)))
        fcntl.ioctl(self._fd, UFFDIO_REGISTER, bytearray(struct.pack('=QQQQ', self.address, PAGE, MISSING, 0)))

    def wait_for_fault(self):
        """Return once somebody waits for the page."""
        os.read(self._fd, 32)

    def provide(self, content):
        """Let those who wait go on, and find this."""
        source = ctypes.create_string_buffer(content + bytes(PAGE - len(content)), PAGE)
        fields = (self.address, ctypes.addressof(source), PAGE, 0, 0)
        fcntl.ioctl(self._fd, UFFDIO_COPY, bytearray(struct.pack('=QQQQq', *fields)))

    def close(self):
        os.close(self._fd)


class Parked:
    """A call in a thread, which waits in the page until `finish`."""

    def __init__(self, page, function, *arguments):
        self._page = page
        self._result = None
        self._thread = threading.Thread(target=self._run, args=(function, arguments))
        self._thread.start()
        page.wait_for_fault()

    def _run(self, function, arguments):
        ctypes.set_errno(0)
        returned = function(*arguments)
        self._result = returned, ctypes.get_errno() if returned < 0 else 0

    def finish(self, content):
        """Return (what the call returned, its errno), now that the page holds this."""
        self._page.provide(content)
        self._thread.join()
        return self._result
