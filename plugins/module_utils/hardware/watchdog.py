# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The kernel's NMI watchdog: it finds CPUs that hang, by counting cycles on one of their performance counters."""

from ..errors import MsrSafeError

ENABLED = '/proc/sys/kernel/nmi_watchdog'
PANICS = '/proc/sys/kernel/hardlockup_panic'
# Without performance counters, as in many virtual machines, the watchdog cannot run, whatever ENABLED says.
COUNTERS = ('/sys/bus/event_source/devices/cpu', '/sys/bus/event_source/devices/cpu_core')


def observe_watchdog(machine):
    """Return ``{'enabled': bool, 'panics': does the node panic on a CPU that hangs?}``; None where there is none."""
    enabled = machine.read_text(ENABLED)
    if enabled is None:
        return None
    counts = any(map(machine.exists, COUNTERS))
    return {'enabled': enabled == '1' and counts, 'panics': machine.read_text(PANICS) == '1'}


def set_watchdog(machine, enabled):
    """Turn the watchdog on or off until the next boot. Raises MsrSafeError where the kernel does not take it."""
    try:
        with open(machine.path(ENABLED), 'w') as stream:
            stream.write('1\n' if enabled else '0\n')
    except OSError as error:
        raise MsrSafeError(
            'Cannot write %s: %s.' % (ENABLED, error.strerror), 'Is the NMI watchdog of this kernel another one?'
        ) from error


def describe_risk(watchdog):
    """Return what a job can do that may program performance counters where the watchdog is on, or ''."""
    if not watchdog or not watchdog['enabled']:
        return ''
    return (
        "The kernel's NMI watchdog counts on a performance counter that this list lets users program: "
        'a job can stop it, or fake a CPU that hangs%s. '
        'msr_safe_nmi_watchdog: off turns it off (kernel.nmi_watchdog = 0), and gives the counter back.'
        % (', upon which the node panics (kernel.hardlockup_panic = 1)' if watchdog['panics'] else '')
    )
