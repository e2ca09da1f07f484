# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A node that is a directory, with registers and the two devices of the kernel module in memory.

The devices keep the contract of the kernel module as programs see it: the batch
ioctl works on the caller's memory, the approved list is taken whole or not at all.
"""

import ctypes
import errno
import fcntl
import os
import re
import struct
import tempfile

from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine

KERNEL = '6.1.0-18-amd64'
LIST_DEVICE = '/dev/cpu/msr_approved_list'
LIST_HEADER = '# address          write mask\n'

SKYLAKE = ('GenuineIntel', 6, 85, 7)
MILAN = ('AuthenticAMD', 25, 1, 1)

# Configuration, a counter, a status and a register that is read only.
LIST = """\
0x000000C1 0x00000000FFFFFFFF # IA32_PMC0 (counter)
0x000000CE 0x0000000000000000 # MSR_PLATFORM_INFO
0x000001A0 0x0000004000000000 # IA32_MISC_ENABLE
0x000001A4 0x000000000000000F # MSR_MISC_FEATURE_CONTROL
0x000001B1 0x0000000000000AAA # IA32_PACKAGE_THERM_STATUS (status)
"""
MISC_ENABLE, PREFETCHERS, COUNTER, THERMAL, PLATFORM = 0x1A0, 0x1A4, 0xC1, 0x1B1, 0xCE
TURBO_OFF = 1 << 38


class FakeNode:
    """A Skylake server of four CPUs on which the module is loaded and LIST is active."""

    def __init__(self, root):
        self.root = str(root)
        self.machine = Machine(self.root, run=self.run)
        self.commands = []  # argument lists, as they were run
        self.answers = {}  # first words of a command -> (exit code, output)
        self.effects = {}  # first words of a command -> function of its arguments
        self.registers = {}  # (cpu, address) -> value; 0 where nothing was written
        self.faults = set()  # (cpu, address) on which the processor faults
        self.stuck = set()  # addresses that take no value
        self.leased = set()  # (cpu, address) of which somebody else's lease has changed all bits
        self.batches = []  # of each ioctl: [(cpu, 'read' or 'write', address)]
        self.keeps_leases = True
        self.knows_operators = True
        self.may_operate = True  # whether who asks has CAP_SYS_RAWIO
        self.leases = {}  # descriptor -> [((cpu, address), what it held, the bits that were changed)]
        self.before_batch = []  # functions that run before the next ioctls, one each
        self.describe_cpu(*SKYLAKE)
        self.set_online('0-3')
        self.put('/proc/sys/kernel/osrelease', KERNEL + '\n')
        self.put('/proc/sys/kernel/hostname', 'n1\n')
        self.put('/proc/sys/kernel/random/boot_id', '7e0f7d4c-0000-4000-8000-000000000001\n')
        self.put('/dev/cpu/msr_batch', '')
        self.activate(LIST)
        self.put('/etc/msr-safe/approved_list', LIST)

    # Files

    def path(self, path):
        return self.machine.path(path)

    def put(self, path, content):
        """Make a file of the node hold a text (or bytes)."""
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), 'wb') as stream:
            stream.write(content if isinstance(content, bytes) else content.encode('utf-8'))
        return path

    def get(self, path):
        with open(self.path(path), 'rb') as stream:
            return stream.read().decode('utf-8')

    def has(self, path):
        return os.path.lexists(self.path(path))

    def link(self, path, target):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        os.symlink(target, self.path(path))

    def remove(self, path):
        os.unlink(self.path(path))

    def names(self, directory):
        """Return all names in a directory, hidden ones too: what is left over shows here."""
        return sorted(os.listdir(self.path(directory)))

    # Processor

    def describe_cpu(self, vendor, family, model, stepping):
        processor = (
            'processor\t: %d\nvendor_id\t: %s\ncpu family\t: %d\nmodel\t\t: %d\nmodel name\t: Some CPU @ 2.10GHz\n'
            'stepping\t: %d\nmicrocode\t: 0x5003604\n\n'
        )
        self.put('/proc/cpuinfo', ''.join(processor % (cpu, vendor, family, model, stepping) for cpu in range(4)))

    def set_online(self, cpulist):
        self.put('/sys/devices/system/cpu/online', cpulist + '\n')

    def online(self):
        cpus = set()
        for part in self.get('/sys/devices/system/cpu/online').strip().split(','):
            first, _dash, last = part.partition('-')
            cpus.update(range(int(first), int(last or first) + 1))
        return cpus

    def set_register(self, address, value, cpus=(0, 1, 2, 3)):
        for cpu in cpus:
            self.registers[cpu, address] = value

    def register(self, address, cpu=0):
        return self.registers.get((cpu, address), 0)

    # Commands

    def run(self, arguments):
        self.commands.append(list(arguments))
        for length in range(len(arguments), 0, -1):
            words = ' '.join(arguments[:length])
            if words in self.effects:
                self.effects[words](arguments)
            if words in self.answers:
                return self.answers[words]
        return 0, ''

    def ran(self):
        """Return the commands that were run, each as a line."""
        return [' '.join(arguments) for arguments in self.commands]

    # The approved list's device

    def activate(self, text):
        """Make the list in ``text`` the active one, as a reader of the device sees it."""
        self.put(LIST_DEVICE, LIST_HEADER + ''.join('0x%08X 0x%016X\n' % pair for pair in sorted(parse(text).items())))

    def active(self):
        """Return the active list as {address: mask}."""
        return parse(self.get(LIST_DEVICE))

    # The batch device

    def ioctl(self, descriptor, request, argument):
        if request == 0x63A4 and self.keeps_leases:
            self.leases[descriptor] = []
            return 0
        if request == 0x63A3 and self.knows_operators:
            struct.pack_into('<Q', argument, 8, 0x17)
            return 0
        if request == 0x63A5 and self.knows_operators:
            size, flags, count, op_size, pointer = struct.unpack('<IIIIQ', argument)
            assert (size, flags, op_size) == (24, 1, 48)
            return self.run_batch(descriptor, OperatorOperation, count, pointer)
        if request != 0xC01063A2:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        count, _version, pointer = struct.unpack('<IIQ', argument)
        return self.run_batch(descriptor, BatchOperation, count, pointer)

    def run_batch(self, descriptor, kind, count, pointer):
        if self.before_batch:
            self.before_batch.pop(0)()
        if count == 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        memory = (ctypes.c_ubyte * (kind.SIZE * count)).from_address(pointer)
        mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        operations = [kind(memory, kind.SIZE * index) for index in range(count)]
        if kind is OperatorOperation and not self.may_operate:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        self.batches.append([operation.described() for operation in operations])
        error = self.check(operations, mode) or self.carry_out(operations, self.leases.get(descriptor))
        if error:
            raise OSError(error, os.strerror(error))
        return 0

    def check(self, operations, mode):
        """Check all operations; where one is refused, none is carried out and each says so."""
        online, first = self.online(), 0
        for operation in operations:
            approved = operation.approved(self.active())
            operation.set_mask(approved.get(operation.address, 0))
            error = 0
            if mode == (os.O_WRONLY if operation.is_read else os.O_RDONLY):
                error = errno.EBADF
            elif operation.cpu not in online:
                error = errno.ENXIO
            elif operation.address not in approved:
                error = errno.EACCES
            elif not operation.is_read and not approved[operation.address]:
                error = errno.EROFS
            operation.set_error(error or errno.ECANCELED)
            first = first or error
        return first

    def carry_out(self, operations, lease=None):
        first = 0
        for operation in operations:
            key = (operation.cpu, operation.address)
            if key in self.faults:
                operation.set_error(errno.EIO)
                first = first or errno.EIO
                continue
            if lease is not None and not operation.is_read and key in self.leased:
                operation.set_error(errno.EBUSY)
                first = first or errno.EBUSY
                continue
            if operation.is_read:
                operation.set_value(self.registers.get(key, 0))
            elif operation.address not in self.stuck:
                mask = operation.approved(self.active())[operation.address]
                old = self.registers.get(key, 0)
                new = (old & ~mask) | (operation.value & mask)
                if lease is not None and (old ^ new) & self.leased_bits(key, lease):
                    operation.set_error(errno.EBUSY)
                    first = first or errno.EBUSY
                    continue
                if lease is not None:
                    lease.append((key, old, old ^ new))
                self.registers[key] = new
            operation.set_error(0)
        return first

    def leased_bits(self, key, but):
        """Return the bits of a register that leases have changed, but one."""
        bits = 0
        for lease in self.leases.values():
            for one, _old, changed in lease if lease is not but else ():
                bits |= changed if one == key else 0
        return bits

    def end_lease(self, descriptor):
        for key, old, bits in reversed(self.leases.pop(descriptor, [])):
            self.registers[key] = (self.registers[key] & ~bits) | (old & bits)


class FakeLeaseOs:
    """Stands for the module os where a lease closes: what was changed through it comes back."""

    def __init__(self, node):
        self.node = node

    def __getattr__(self, name):
        return getattr(os, name)

    def close(self, descriptor):
        self.node.end_lease(descriptor)
        os.close(descriptor)


class BatchOperation:
    """One operation of a batch, where it lies in the caller's memory."""

    SIZE = 32

    def __init__(self, memory, offset):
        self.memory, self.offset = memory, offset
        self.cpu, self.is_read = struct.unpack_from('<HH', memory, offset)
        (self.address,) = struct.unpack_from('<I', memory, offset + 8)
        (self.value,) = struct.unpack_from('<Q', memory, offset + 16)

    def approved(self, active):
        """Return {address: mask} of what it may do, of what the list in force says."""
        return active

    def described(self):
        return self.cpu, 'read' if self.is_read else 'write', self.address

    def set_error(self, error):
        struct.pack_into('<i', self.memory, self.offset + 4, -error)

    def set_value(self, value):
        struct.pack_into('<Q', self.memory, self.offset + 16, value)

    def set_mask(self, mask):
        struct.pack_into('<Q', self.memory, self.offset + 24, mask)


class OperatorOperation(BatchOperation):
    """One of an operator's: its writes say which bits they change, and no list is asked."""

    SIZE = 48

    def __init__(self, memory, offset):
        super().__init__(memory, offset)
        (self.asked,) = struct.unpack_from('<Q', memory, offset + 24)

    def approved(self, active):
        return {self.address: 0 if self.is_read else self.asked}


class FakeFcntl:
    """Stands for the module fcntl where the batch device is used."""

    def __init__(self, node):
        self.ioctl = node.ioctl


class FakeListOs:
    """Stands for the module os where the list's device is written: a list counts when it is whole."""

    def __init__(self, node):
        self.node = node
        self.open_devices = {}
        self.refusal = None  # errno with which the kernel refuses lists
        self.another = None  # the list that somebody else activates right after ours
        self.longest_write = None  # bytes that one write takes
        self.published = []  # the lists that were put in force

    def __getattr__(self, name):
        return getattr(os, name)

    def open(self, path, flags):
        if path != self.node.path(LIST_DEVICE):
            return os.open(path, flags)
        os.close(os.open(path, flags))
        descriptor, scratch = tempfile.mkstemp()
        os.unlink(scratch)
        self.open_devices[descriptor] = path
        return descriptor

    def write(self, descriptor, content):
        if descriptor in self.open_devices and self.refusal:
            raise OSError(self.refusal, os.strerror(self.refusal))
        return os.write(descriptor, content[: self.longest_write])

    def close(self, descriptor):
        if self.open_devices.pop(descriptor, None) and not self.refusal:
            text = os.pread(descriptor, 1 << 20, 0).decode('ascii')
            if text.strip() and not parse(text):
                raise OSError(errno.ENOMSG, os.strerror(errno.ENOMSG))
            if text:
                self.node.activate(self.another or text)
                self.published.append(text)
        os.close(descriptor)


def parse(text):
    """Return {address: mask} of a list whose numbers are hexadecimal."""
    lines = re.findall(r'^\s*(0x[0-9a-fA-F]+)\s+(0x[0-9a-fA-F]+)', text, re.MULTILINE)
    return {int(address, 16): int(mask, 16) for address, mask in lines}
