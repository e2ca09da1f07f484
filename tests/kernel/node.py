# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The node that the tests run on: its module, its log, its CPUs."""

import contextlib
import glob
import os
import signal
import subprocess
import time


def module_is_loaded():
    return os.path.isdir('/sys/module/msr_safe')


def load_module(**parameters):
    """Return (exit status, stderr) of loading the module under test."""
    words = ['%s=%s' % item for item in parameters.items()]
    path = os.environ.get('MSR_SAFE_KO')
    command = ['insmod', path] if path else ['modprobe', 'msr_safe']
    done = subprocess.run(command + words, stderr=subprocess.PIPE, universal_newlines=True, check=False)
    settle()
    return done.returncode, done.stderr


def unload_module():
    """Return (exit status, stderr) of rmmod."""
    done = subprocess.run(['rmmod', 'msr_safe'], stderr=subprocess.PIPE, universal_newlines=True, check=False)
    settle()
    return done.returncode, done.stderr


def settle():
    """Wait until udev has gone through what has happened to devices."""
    subprocess.run(['udevadm', 'settle'], check=True)


def majors():
    """Return {name: major} of the module's devices in /proc/devices."""
    with open('/proc/devices') as devices:
        lines = [line.split() for line in devices]
    return {line[1]: int(line[0]) for line in lines if len(line) == 2 and line[1].startswith('msr_')}


def traces():
    """Return all that a module which is not loaded must not leave."""
    return (
        sorted(majors())
        + glob.glob('/sys/class/msr_*')
        + glob.glob('/dev/cpu/msr_*')
        + glob.glob('/dev/cpu/*/msr_safe')
    )


def online_cpus():
    paths = glob.glob('/sys/devices/system/cpu/cpu[0-9]*')
    numbers = sorted(int(os.path.basename(path)[3:]) for path in paths)
    return [number for number in numbers if is_online(number)]


def is_online(cpu):
    try:
        with open('/sys/devices/system/cpu/cpu%d/online' % cpu) as online:
            return online.read().strip() == '1'
    except FileNotFoundError:
        return True


def set_online(cpu, online):
    with open('/sys/devices/system/cpu/cpu%d/online' % cpu, 'w') as file:
        file.write('1' if online else '0')
    settle()


@contextlib.contextmanager
def child(function):
    """The id of a process that calls the function and exits with what it returns; it does not outlive the block."""
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            status = function()
        finally:
            os._exit(status)
    try:
        yield pid
    finally:
        # Whoever has waited for it has left nothing to kill
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def run_in_little_memory(size, function):
    """Return the exit status of a child that calls the function in a memory cgroup of this size, in bytes."""
    group = '/sys/fs/cgroup/msr_safe_test'
    with open('/sys/fs/cgroup/cgroup.subtree_control', 'w') as file:
        file.write('+memory')
    os.mkdir(group)
    try:
        with open(group + '/memory.max', 'w') as file:
            file.write(str(size))

        def join_and_call():
            with open(group + '/cgroup.procs', 'w') as file:
                file.write('0')
            return function()

        with child(join_and_call) as pid:
            return os.waitpid(pid, 0)[1]
    finally:
        os.rmdir(group)


class KernelLog:
    """What the kernel has logged since this was made."""

    def __init__(self):
        self.fd = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)
        self.lines = []

    def read(self):
        while True:
            try:
                record = os.read(self.fd, 8192)
            except BlockingIOError:
                return self.lines
            except BrokenPipeError:
                continue
            self.lines.append(record.decode('utf-8', 'replace').split(';', 1)[1].splitlines()[0])

    def close(self):
        os.close(self.fd)


def wait_for(condition, seconds=120):
    """Return whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
