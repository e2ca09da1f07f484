# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.watchdog import (
    COUNTERS,
    ENABLED,
    PANICS,
    describe_risk,
    observe_watchdog,
    set_watchdog,
)


def test_a_kernel_without_one(node):
    assert observe_watchdog(node.machine) is None
    assert describe_risk(None) == ''
    with pytest.raises(MsrSafeError, match='Cannot write /proc/sys/kernel/nmi_watchdog'):
        set_watchdog(node.machine.__class__(node.path('/none')), enabled=False)


def test_it_is_observed_and_turned(node):
    node.put(ENABLED, '1\n')
    node.put(PANICS, '1\n')
    assert observe_watchdog(node.machine) == {'enabled': False, 'panics': True}  # no counters, so it cannot run
    node.put(COUNTERS[0] + '/type', '4\n')
    assert observe_watchdog(node.machine) == {'enabled': True, 'panics': True}
    set_watchdog(node.machine, enabled=False)
    assert observe_watchdog(node.machine) == {'enabled': False, 'panics': True}


def test_what_can_happen_is_said_with_the_way_out():
    said = describe_risk({'enabled': True, 'panics': False})
    assert 'a job can stop it, or fake a CPU that hangs.' in said
    assert 'msr_safe_nmi_watchdog: off' in said
    assert 'the node panics' not in said
    assert 'the node panics' in describe_risk({'enabled': True, 'panics': True})
    assert describe_risk({'enabled': False, 'panics': True}) == ''
