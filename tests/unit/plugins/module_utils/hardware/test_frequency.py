# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.frequency import frequency_driver, owned_by


def test_the_driver_of_the_first_cpu_that_has_one(node):
    assert frequency_driver(node.machine) == ''
    node.put('/sys/devices/system/cpu/cpu2/cpufreq/scaling_driver', 'intel_pstate\n')
    assert frequency_driver(node.machine) == 'intel_pstate'


def test_the_owner_is_named_with_the_way_to_go():
    assert owned_by('intel_pstate') == 'intel_pstate owns it and rewrites it: use cpupower, or a policy'
