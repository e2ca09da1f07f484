# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a snapshot of 256 CPUs and 400 registers is, and what it costs to save and to plan its restore.

The node is a directory. Its batch device answers in no time to speak of, so what is measured is the library.
"""

import fcntl
import random
import sys
import tempfile
import time
from array import array
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / 'plugins'))

from module_utils.access import batch
from module_utils.machine import Machine
from module_utils.snapshots.restore import plan_restore, read_snapshot
from module_utils.snapshots.save import plan_save, save, take_snapshot

CPUS, REGISTERS = 256, 400
LARGEST, LONGEST = 150_000, 1.0
PATH = '/var/lib/msr-safe/snapshot.json'
ADDRESSES = range(0x600, 0x600 + REGISTERS)


def registers():
    """Values as a node of two packages has them: most are equal everywhere, some differ by package, core or CPU."""
    source = random.Random(256)
    columns = {}
    for number, address in enumerate(ADDRESSES):
        groups = CPUS if number < 8 else CPUS // 2 if number < 12 else 2 if number < 100 else 1
        values = [source.getrandbits(48) for _group in range(groups)]
        columns[address] = [values[cpu * groups // CPUS] for cpu in range(CPUS)]
    return array('Q', [columns[address][cpu] for cpu in range(CPUS) for address in ADDRESSES])


class BatchDevice:
    """Stands for the module fcntl: answers each batch of reads with the values that it was given."""

    def __init__(self, values):
        self.values = values

    def ioctl(self, _descriptor, _request, argument):
        import ctypes

        count, _version, pointer = batch.ARRAY.unpack(argument)
        memory = memoryview((ctypes.c_char * (batch.OPERATION_SIZE * count)).from_address(pointer)).cast('B').cast('Q')
        memory[2::4] = self.values

    def __getattr__(self, name):
        return getattr(fcntl, name)


def fake_machine(root):
    machine = Machine(root)
    approved = ''.join(f'0x{address:08X} 0xFFFFFFFFFFFFFFFF # MSR_REGISTER_{address:X}\n' for address in ADDRESSES)
    for path, text in {
        '/proc/cpuinfo': 'vendor_id: GenuineIntel\ncpu family: 6\nmodel: 85\nstepping: 7\n',
        '/sys/devices/system/cpu/online': f'0-{CPUS - 1}\n',
        '/dev/cpu/msr_batch': '',
        '/dev/cpu/msr_approved_list': approved,
        '/etc/msr-safe/approved_list': approved,
    }.items():
        machine.write(path, text.encode())
    return machine


def main():
    with tempfile.TemporaryDirectory() as root:
        machine = fake_machine(root)
        batch.fcntl = BatchDevice(registers())
        start = time.process_time()
        text = plan_save(machine, PATH, take_snapshot(machine))[1]
        save(machine, PATH, text)
        saved = time.process_time()
        restored = plan_restore(machine, read_snapshot(machine, PATH))
        planned = time.process_time()
    assert (len(restored.registers), restored.writes, restored.problems) == (REGISTERS, [], [])
    print(f'{CPUS} CPUs, {REGISTERS} registers: {len(text) / 1000:.0f} kB (at most {LARGEST / 1000:.0f})')
    print(f'saved in {saved - start:.2f} s of CPU, planned for restore in {planned - saved:.2f} s (at most {LONGEST})')
    return 0 if len(text) < LARGEST and planned - start < LONGEST else 1


if __name__ == '__main__':
    sys.exit(main())
