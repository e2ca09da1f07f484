# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import grp
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.group_at_boot import (
    ELSEWHERE,
    OF_SYSTEM,
    OF_USERS,
    describe_group,
    group_at_boot,
)

HERE = grp.getgrgid(os.getgid()).gr_name


@pytest.mark.parametrize(
    'line, kind',
    [
        ('%s:x:998:', OF_SYSTEM),
        ('%s:x:999:a,b', OF_SYSTEM),
        ('%s:x:1000:', OF_USERS),
        ('%s-users:x:998:', ELSEWHERE),  # as from LDAP: known to this machine, and not by the node's file
        ('%s:x::', ELSEWHERE),
    ],
)
def test_at_boot_a_group_is_what_the_file_says(node, line, kind):
    node.put('/etc/group', 'daemon:x:1:\n' + line % HERE + '\n')
    assert group_at_boot(node.machine, HERE) == kind


def test_a_group_that_does_not_exist_is_nothing_at_boot(node):
    assert group_at_boot(node.machine, 'no-such-group') is None


def test_only_what_a_boot_would_not_bring_back_is_said():
    assert describe_group('msr', None) == describe_group('msr', OF_SYSTEM) == []
    (elsewhere,) = describe_group('hpcusers', ELSEWHERE)
    assert 'hpcusers is not in /etc/group' in elsewhere
    (of_users,) = describe_group('hpcusers', OF_USERS)
    assert 'systemd 258' in of_users
