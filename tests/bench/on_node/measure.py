# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure on a node: msrsave of 400 registers against a loop of rdmsr -a over the same. Prints JSON. Runs as root."""

import json
import os
import statistics
import subprocess
import sys
import time

FILE = '/root/bench.json'
RUNS = 5
REGISTERS = 400


def seconds(function):
    start = time.monotonic()
    function()
    return time.monotonic() - start


def approve():
    """Approve 400 registers that this processor can read; return their addresses."""
    subprocess.run(['modprobe', 'msr'], check=True)
    addresses = []
    with open('/dev/cpu/0/msr', 'rb', buffering=0) as device:
        for address in [*range(0x10, 0x1000), *range(0xC0000080, 0xC0000200)]:
            try:
                os.pread(device.fileno(), 8, address)
                addresses.append(address)
            except OSError:
                pass
            if len(addresses) == REGISTERS:
                break
    assert len(addresses) == REGISTERS
    with open('/dev/cpu/msr_approved_list', 'w') as device:
        device.write(''.join(f'0x{address:X} 0x{(1 << 64) - 1:X}\n' for address in addresses))
    return addresses


def save():
    if os.path.exists(FILE):
        os.unlink(FILE)
    subprocess.run(['msrsave', FILE], check=True, stdout=subprocess.DEVNULL)


def loop(addresses):
    command = f'for register in {" ".join(map(hex, addresses))}; do rdmsr -a $register; done'
    subprocess.run(['bash', '-c', command], check=True, stdout=subprocess.DEVNULL)


def split():
    os.unlink(FILE)
    said = subprocess.run(
        ['/usr/bin/python3', '-IS', '/root/split.py', FILE],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return json.loads(said.stdout)


def main():
    addresses = approve()
    save()
    result = {
        'cpus': os.cpu_count(),
        'registers': len(addresses),
        'msrsave': statistics.median(seconds(save) for _run in range(RUNS)),
        'python start': statistics.median(
            seconds(lambda: subprocess.run(['/usr/bin/python3', '-IS', '-c', ''], check=True)) for _run in range(RUNS)
        ),
    }
    splits = [split() for _run in range(RUNS)]
    result.update({part: statistics.median(each[part] for each in splits) for part in splits[0]})
    result['file size'] = os.path.getsize(FILE)
    result['rdmsr -a'] = seconds(lambda: loop(addresses))
    with open(FILE) as stream:
        assert len(json.load(stream)['registers']) == REGISTERS
    print(json.dumps(result))
    return 0


if __name__ == '__main__':
    sys.exit(main())
