# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The kernel's management of frequencies: who it is that rewrites registers such as IA32_PERF_CTL."""

from .cpu import online_cpus


def frequency_driver(machine):
    """Return the cpufreq driver that is active (``intel_pstate``), or '' where the kernel manages no frequencies."""
    for cpu in online_cpus(machine):
        driver = machine.read_text('/sys/devices/system/cpu/cpu%d/cpufreq/scaling_driver' % cpu)
        if driver:
            return driver.strip()
    return ''


def owned_by(driver):
    """Return what to tell whoever writes a register that a driver rewrites."""
    return '%s owns it and rewrites it: use cpupower, or a policy' % driver
