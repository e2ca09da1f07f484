# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Survivors of a job: its processes that still have a device open, and would go on under the next job."""

import contextlib
import os
import stat
import time

from ..hardware.devices import PARAMETERS, taken_majors

# Seconds until what was killed has closed its descriptors.
PATIENCE = 2
REFERENCES = '/sys/module/msr_safe/refcnt'


def end_survivors(machine, records, kill):
    """Kill what is left of jobs with a device open, or only find it; return who that is, a line each.

    The kernel module counts open descriptors, wherever they are: where it has none, nobody needs to be looked for.
    Root's processes are nobody's job.
    """
    found, deadline = [], time.monotonic() + PATIENCE
    while has_users(machine):
        survivors = [each for each in holders(machine) if is_of_jobs(machine, each, records)]
        found += [each for each in survivors if each not in found]
        if not survivors or not kill or time.monotonic() >= deadline:
            break
        for pid, _command, _device in survivors:
            kill_process(pid)
        time.sleep(0.02)
    verb = 'was killed: it had' if kill else 'still has'
    return ['%s (pid %d) %s %s open' % (command, pid, verb, device) for pid, command, device in found]


def kill_process(pid):
    from signal import SIGKILL  # Takes long to load, and most jobs leave nobody

    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, SIGKILL)


def find_hidden(machine):
    """Return a line about open descriptors that no process shows, as one in the queue of a socket."""
    count = machine.read_text(REFERENCES)
    if count in (None, '0') or holders(machine):
        return []
    return ['a device is open (%s times) that no process shows' % count]


def has_users(machine):
    """Return whether anybody has a device open; True where the kernel does not tell."""
    return machine.read_text(REFERENCES) != '0'


def holders(machine):
    """Return who has one of the module's devices open, [(pid, command, device)].

    Devices are known by their numbers: in a container they have any path.
    """
    majors = {major: name for major, name in taken_majors(machine).items() if name in PARAMETERS}
    found = []
    for pid in machine.list('/proc') if majors else []:
        device = pid.isdigit() and open_device_of(machine, pid, majors)
        if device:
            found.append((int(pid), command_of(machine, pid), device))
    return found


def command_of(machine, pid):
    """Return what a process calls itself, which may be anything, as a word of a line in a log."""
    name = machine.read_text('/proc/%s/comm' % pid) or '?'
    return ''.join(each if each.isalnum() or each in ' -_.:/+@' else '?' for each in name)


def open_device_of(machine, pid, majors):
    """Return the name of a device that a process has open, or None."""
    directory = '/proc/%s/fd' % pid
    for descriptor in machine.list(directory):
        try:
            status = os.stat(machine.path('%s/%s' % (directory, descriptor)))
        except OSError:
            continue
        if stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) in majors:
            return majors[os.major(status.st_rdev)]
    return None


def is_of_jobs(machine, holder, records):
    """Return whether a process is of one of the jobs: of its user, or in its control group, as in a container."""
    pid = holder[0]
    try:
        uids = uids_of(machine, pid)
    except OSError:
        return False
    groups = (machine.read_text('/proc/%d/cgroup' % pid) or '').split('/')
    groups = [part.strip() for line in groups for part in line.split('\n')]
    return any((record.uid and record.uid in uids) or 'job_' + record.job in groups for record in records)


def uids_of(machine, pid):
    """Return the users that a process is of: also whose it was before it ran a program of root's. Raises OSError."""
    lines = (machine.read_text('/proc/%d/status' % pid) or '').splitlines()
    return {os.stat(machine.path('/proc/%d' % pid)).st_uid}.union(
        int(uid) for line in lines if line.startswith('Uid:') for uid in line.split()[1:]
    )
