# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill msrsave at many moments, spread over its run. Runs on a node, as root.

kill_points.py POINTS
"""

import glob
import os
import signal
import struct
import subprocess
import sys
import time

FILE = '/root/killed/snapshot.json'
TURBO_OFF = 1 << 38


def register(cpu):
    with open('/dev/cpu/%d/msr_safe' % cpu, 'rb') as device:
        return struct.unpack('=Q', os.pread(device.fileno(), 8, 0x1A0))[0]


def set_turbo(cpu, off):
    device = os.open('/dev/cpu/%d/msr_safe' % cpu, os.O_WRONLY)
    os.pwrite(device, struct.pack('=Q', TURBO_OFF if off else 0), 0x1A0)
    os.close(device)


def msrsave(*arguments):
    return subprocess.run(['msrsave', *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def duration(*arguments):
    """Return how long msrsave takes now: a machine with other work takes longer at times."""
    start = time.monotonic()
    assert msrsave(*arguments).returncode == 0
    return time.monotonic() - start


def kill_after(delay, *arguments):
    """Start msrsave, kill it after a time; return whether that was before its end."""
    process = subprocess.Popen(['msrsave', *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    process.kill()
    return process.wait() == -signal.SIGKILL


def content(path):
    with open(path) as stream:
        return stream.read()


def saves(points):
    """Kill saves of ever other values: the file is the one before or the new one, whole; nothing piles up."""
    killed = new = 0
    takes = duration(FILE)
    for point in range(points):
        before = content(FILE)
        set_turbo(1, off=point % 2 == 1)
        killed += kill_after(1.2 * takes * point / points, '--backup', '1', FILE)
        after = content(FILE)
        new += before != after
        # -n reads the file, checksum and all, and compares it with the registers
        said = msrsave('-r', '-n', FILE)
        assert said.returncode == 0, said.stdout
        is_current = b'every register holds what was saved' in said.stdout
        assert is_current != (before == after), (point, said.stdout)
        takes = duration(FILE)
        left = [name for name in os.listdir(os.path.dirname(FILE)) if name.startswith('.')]
        assert left == [], left
    return killed, new


def restores(points):
    """Kill restores: a second one completes."""
    killed = 0
    assert msrsave(FILE).returncode == 0
    takes = duration('-r', FILE)
    clean = [register(cpu) for cpu in range(4)]
    for point in range(points):
        for cpu in range(4):
            set_turbo(cpu, off=not clean[cpu] & TURBO_OFF)
        killed += kill_after(1.2 * takes * point / points, '-r', FILE)
        takes = duration('-r', FILE)
        assert [register(cpu) for cpu in range(4)] == clean
    return killed


def main(points):
    os.makedirs(os.path.dirname(FILE), exist_ok=True)
    for path in glob.glob(os.path.dirname(FILE) + '/*'):
        os.unlink(path)
    set_turbo(1, off=True)
    killed, new = saves(points)
    print('saves: %d of %d killed, %d files new' % (killed, points, new))
    assert killed > points // 2 and new
    killed = restores(points)
    print('restores: %d of %d killed' % (killed, points))
    assert killed > points // 2
    for cpu in range(4):
        set_turbo(cpu, off=False)
    return 0


if __name__ == '__main__':
    sys.exit(main(int(sys.argv[1])))
