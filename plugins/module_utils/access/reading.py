# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A reading: what one register was found to hold, CPUs with equal values put together."""

import collections
import errno
import os

Reading = collections.namedtuple('Reading', 'values errors')
Reading.__doc__ = """What a register holds: {value: [CPU]}, and {errno: [CPU]} where it could not be read."""

ERRORS = {
    errno.EACCES: 'not on the active approved list',
    errno.EROFS: 'read only on the active approved list',
    errno.ENXIO: 'CPU is offline',
    errno.EIO: 'the processor faulted: it has no such register, or refuses the value',
    errno.EPERM: 'kernel lockdown forbids it',
    errno.EBUSY: 'another lease has changed these bits',
    errno.ENOSPC: 'the lease remembers as many values as it may',
    errno.ESHUTDOWN: 'the machine is going down',
}


def build_reading(cpus, values, errors):
    """Return the Reading of a register on CPUs; values and errors (0: none) are those of each CPU."""
    if not any(errors) and values.count(values[0]) == len(values):
        return Reading({values[0]: cpus}, {})
    by_value, by_error = {}, {}
    for cpu, value, error in zip(cpus, values, errors):
        if error:
            by_error.setdefault(error, []).append(cpu)
        else:
            by_value.setdefault(value, []).append(cpu)
    return Reading(by_value, by_error)


def readings_of(addresses, cpus, results):
    """Return {address: Reading} of the Results of reading each address on each CPU, those of the first CPU first."""
    width = len(addresses)
    return {
        address: build_reading(cpus, results.values[index::width], results.errors[index::width])
        for index, address in enumerate(addresses)
    }


def by_cpu(groups):
    """Return {CPU: value} of {value: [CPU]}."""
    return {cpu: value for value, cpus in groups.items() for cpu in cpus}


def describe_error(error):
    """Return in words why the kernel did not carry out an access (errno)."""
    return ERRORS.get(error) or os.strerror(error)
