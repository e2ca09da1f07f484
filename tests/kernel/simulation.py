# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The registers of the module that simulates them, as docs/simulated-registers.md describes it."""

import os
import re

import msr_devices

REGISTERS = '/sys/kernel/debug/msr_safe/registers'


def define(text, chunk=None):
    """Return the errno that writing the definition fails with, 0 once it is in force."""
    data = text.encode('ascii')
    chunk = chunk or len(data)
    fd = os.open(REGISTERS, os.O_WRONLY)
    err = 0
    for start in range(0, len(data), chunk):
        err = err or msr_devices.errno_of(os.write, fd, data[start : start + chunk])
    return msr_devices.errno_of(os.close, fd) or err


def present():
    """Return the definition that the module shows, with the values of now."""
    with open(REGISTERS) as registers:
        return registers.read()


def addresses(text):
    """Return the addresses that a definition defines."""
    return [int(match, 0) for match in re.findall(r'(?m)^\s*(0x[0-9A-Fa-f]+)\s+(?:cpu|core|package)\b', text)]


def have(text, masks=None):
    """Make these the registers, all of them approved with all bits but where masks ({address: mask}) say else."""
    assert define(text) == 0
    approved = dict.fromkeys(addresses(text), msr_devices.ALL_ONES)
    approved.update(masks or {})
    assert msr_devices.write_list(msr_devices.render_list(approved)) == ('', 0)


def sharers(scope, cpu):
    """Return the numbers of the CPUs that share a register with this one, as the kernel's topology says."""
    if scope == 'cpu':
        return {cpu}
    name = {'core': 'core_cpus_list', 'package': 'package_cpus_list'}[scope]
    with open('/sys/devices/system/cpu/cpu%d/topology/%s' % (cpu, name)) as file:
        return parse_cpulist(file.read())


def parse_cpulist(text):
    cpus = set()
    for part in text.strip().split(','):
        first, _dash, last = part.partition('-')
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def preset(name):
    """Return the text of a preset, from where the tests find the module's source or a copy of its simulation/."""
    here = os.path.dirname(os.path.abspath(__file__))
    for directory in (here + '/simulation', here + '/../../files/kmod/simulation'):
        path = '%s/%s.registers' % (directory, name)
        if os.path.exists(path):
            with open(path) as file:
                return file.read()
    raise FileNotFoundError('no preset %s: copy files/kmod/simulation to %s' % (name, here))
