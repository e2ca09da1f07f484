# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The snapshot of another host with the same CPU model: restored, and said to be."""

import pytest
from ansible.module_utils import basic
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import PREFETCHERS
from ansible_collections.hpc.msr_safe.tests.unit.plugins.modules import test_empty_options as modules

node = modules.node


@pytest.mark.parametrize('check_mode', [False, True])
def test_the_snapshot_of_another_host_is_restored_with_a_warning(node, monkeypatch, check_mode):
    warnings = []
    monkeypatch.setattr(basic.AnsibleModule, 'warn', lambda _self, warning, **_options: warnings.append(warning))
    modules.run('msr_save', path='/root/snapshot.json')
    modules.run('msr_restore', path='/root/snapshot.json')
    assert not warnings
    node.put('/proc/sys/kernel/hostname', 'n2\n')
    node.set_register(PREFETCHERS, 1)
    answer = modules.run('msr_restore', path='/root/snapshot.json', _ansible_check_mode=check_mode)
    assert answer['changed'] and node.register(PREFETCHERS) == check_mode
    assert len(warnings) == 1 and 'The snapshot is of host n1, and this is n2.' in warnings[0]
