# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.lockdown import HONOR, MODULE, STATE, forbids_writes

LOCKED = 'none [integrity] confidentiality\n'


@pytest.mark.parametrize(
    'state, files, forbidden',
    [
        ('[none] integrity confidentiality\n', {}, False),
        (LOCKED, {}, True),  # by the kernel's own driver
        ('none integrity [confidentiality]\n', {}, True),
        (LOCKED, {HONOR: 'Y\n'}, True),
        (LOCKED, {HONOR: 'N\n'}, False),
        (LOCKED, {MODULE + '/version': '1.7.0\n'}, False),  # another msr-safe
    ],
)
def test_who_may_write_registers_under_lockdown(node, state, files, forbidden):
    node.put(STATE, state)
    for path, text in files.items():
        node.put(path, text)
    assert forbids_writes(node.machine) is forbidden


def test_a_kernel_without_lockdown_forbids_nothing(node):
    assert forbids_writes(node.machine) is False
