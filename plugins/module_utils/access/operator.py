# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""An operator's access: what root reads and writes whatever the list of users says, which stays as it is meanwhile.

The kernel module does it (MSR_SAFE_OPERATOR in include/uapi/msr_safe.h). Where another one is loaded, its list decides
about root, too.
"""

import errno
import fcntl
import os
import struct

from ..errors import MsrSafeError
from ..hardware.devices import BATCH, open_device
from . import batch, operations, registers
from .reading import readings_of

# _IO('c', 0xA3), struct msr_safe_capabilities: u32 size, reserved, u64 features, and more
CAPABILITIES = 0x63A3
CAPABILITIES_SIZE = 72
FEATURES = struct.Struct('=IIQ')
HAS_OPERATOR = 0x10
# _IO('c', 0xA5), struct msr_safe_timed_batch: u32 size, flags, numops, op_size, u64 pointer
IOCTL = 0x63A5
ARRAY = struct.Struct('=IIIIQ')
OPERATOR = 1
# As batch.OPERATION_SIZE: u16 cpu, is read, s32 error, u32 address, padding, u64 value, mask, and two of time
OPERATION_SIZE = 48

# Of linux/capability.h
CAP_SYS_RAWIO = 17

ONLY_THE_LIST = 'this msr-safe lets no operator past its approved list'
NO_CAPABILITY = 'an operator, whom no approved list holds, has the capability CAP_SYS_RAWIO'


def read_registers(machine, addresses, cpus):
    """Return {address: Reading}, as registers.read_registers does."""
    if not addresses or not cpus:
        return {}
    return readings_of(addresses, cpus, carry_out(machine, operations.reads(addresses, cpus)))


def write(machine, writes):
    """Carry out Writes in one batch, read back, and return the Problems met."""
    from .write import carry_out_writes  # Most prologs and epilogs write nothing

    masks = {(write.cpu, write.address): write.mask for write in writes}

    def write_all(machine, triples):
        return carry_out(machine, operations.writes(triples), masks).errors if triples else []

    return carry_out_writes(machine, writes, write_all, read_registers)


def explain(machine, problems):
    """Return Problems of writes under a list that was not opened for them, with why that one counted."""
    if not problems or is_allowed(machine):
        return problems
    why = NO_CAPABILITY if has_operators(machine) else ONLY_THE_LIST
    return [problem._replace(error='%s (%s)' % (problem.error, why)) for problem in problems]


def is_allowed(machine):
    """Return whether this process is one whom the module of this node lets past the list."""
    return has_operators(machine) and has_capability(machine)


def has_capability(machine):
    """Return whether this process has CAP_SYS_RAWIO; True where that is not told."""
    for line in (machine.read_text('/proc/self/status') or '').splitlines():
        if line.startswith('CapEff:'):
            return bool(int(line.split()[1], 16) >> CAP_SYS_RAWIO & 1)
    return True


def has_operators(machine):
    """Return whether the module of this node lets operators past the list."""
    if not machine.exists(BATCH):
        return False
    descriptor = open_device(machine, BATCH, os.O_RDONLY)
    try:
        return bool(features(descriptor) & HAS_OPERATOR)
    finally:
        os.close(descriptor)


def features(descriptor):
    """Return what the module can do (MSR_SAFE_HAS_…); 0 where it cannot be asked."""
    told = bytearray(CAPABILITIES_SIZE)
    FEATURES.pack_into(told, 0, CAPABILITIES_SIZE, 0, 0)
    try:
        fcntl.ioctl(descriptor, CAPABILITIES, told)
    except OSError:
        return 0
    return FEATURES.unpack_from(told)[2]


def carry_out(machine, wanted, masks=None):
    """Carry out Operations and return their Results. masks: of writes, {(CPU, address): bits}. Raises MsrSafeError."""
    if not is_allowed(machine):
        return registers.carry_out(machine, wanted)
    descriptor = open_device(machine, BATCH, os.O_RDONLY if wanted.direction == operations.READ else os.O_RDWR)
    try:
        return batch.submit_until_settled(descriptor, wanted, lambda fd, some: submit(fd, some, masks))
    finally:
        os.close(descriptor)


def submit(descriptor, wanted, masks):
    """Send one batch and return its Results, whatever the ioctl returned."""
    failure, results = batch.exchange(
        wanted,
        OPERATION_SIZE,
        lambda count, address: batch.send(
            descriptor, IOCTL, ARRAY.pack(ARRAY.size, OPERATOR, count, OPERATION_SIZE, address)
        ),
        [masks[key] for key in zip(wanted.cpus, wanted.addresses)] if masks else (),
    )
    if failure == errno.EPERM and not any(results.errors):
        raise MsrSafeError(
            'Not allowed to use registers as an operator.', 'Run as root, with the capability CAP_SYS_RAWIO.'
        )
    batch.require_carried_out(failure, results.errors)
    return results
