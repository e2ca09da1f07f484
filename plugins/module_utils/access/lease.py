# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A lease: an open batch device through which registers change, and come back when it closes.

The kernel module keeps it (MSR_SAFE_LEASE in include/uapi/msr_safe.h): whatever
ends the process that holds the lease, the bits hold again what they held before.
"""

import errno
import fcntl
import os
import struct

from ..errors import MsrSafeError
from ..hardware.devices import BATCH, open_device
from . import batch, operations

# _IO('c', 0xA4), struct msr_safe_lease: u32 size, flags, capacity, reserved
IOCTL = 0x63A4
LEASE = struct.Struct('=IIII')


class Lease:
    """The lease of this process. A child that is to outlive it must not inherit it (Python's default).

    found: of the writes of last time, {(cpu, address): (what was overwritten, the bits that a write changes)}.
    Raises MsrSafeError where the module of this node keeps no leases.
    """

    def __init__(self, machine, capacity=0):
        """capacity: how many values it can remember; 0 is the module's default."""
        self.found = {}
        self.descriptor = open_device(machine, BATCH, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(self.descriptor, IOCTL, LEASE.pack(LEASE.size, 0, capacity, 0))
        except OSError as error:
            os.close(self.descriptor)
            raise refused(error) from error

    def write_registers(self, _machine, triples):
        """Write registers, (cpu, address, value) each, and return an errno for each: 0 where it was carried out.

        Each is read on its CPU right before.
        """
        self.found = {}
        if not triples:
            return []
        results = batch.submit_until_settled(self.descriptor, operations.writes_after_reads(triples))
        reads = zip(triples, results.errors[::2], results.values[::2], results.masks[::2])
        self.found = {(cpu, address): (value, mask) for (cpu, address, _new), error, value, mask in reads if not error}
        return results.errors[1::2]

    def changed_meanwhile(self, writes):
        """Return the Writes, of those last carried out, that were made from what was not true any more.

        A write puts all bits that the list approves, those beside its mask as they were read when it was planned. If
        others changed these since, it was refused (EBUSY), or undid that: such a lease is to be closed.
        """
        return [write for write in writes if self.is_changed(write)]

    def is_changed(self, write):
        found, written = self.found.get((write.cpu, write.address), (write.before, 0))
        return bool((found ^ write.before) & written & ~write.mask)

    def close(self):
        """Give the registers back."""
        os.close(self.descriptor)


def refused(error):
    """Return the MsrSafeError for a lease that the module does not give (OSError)."""
    if error.errno == errno.ENOTTY:
        return MsrSafeError(
            'The msr-safe kernel module of this node keeps no leases.',
            'Apply the role hpc.msr_safe.msr_safe to this node: modules from 2.0.0 on do.',
        )
    return MsrSafeError(
        '%s gives no lease: %s.' % (BATCH, error.strerror), 'The kernel log may say more: dmesg | tail.'
    )
