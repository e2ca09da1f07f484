# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What stands by knows whether it is of the program that is there. How it is asked: tests/spank."""

import itertools
import os
from types import SimpleNamespace

from ansible_collections.hpc.msr_safe.plugins.module_utils.commands import standby
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import JOB_COMMAND, PACKAGE


def test_a_directory_that_gets_another_inode_number_is_not_replaced(node, monkeypatch):
    """As on an overlay over another file system: a node with such a root would restart it for ever."""
    node.put(PACKAGE + '/version.py', '')
    node.put(JOB_COMMAND, '')
    numbers = itertools.count(1)

    def stat(path):
        return SimpleNamespace(st_ino=next(numbers), st_ctime_ns=os.stat(path).st_ctime_ns)

    monkeypatch.setattr(standby, 'os', SimpleNamespace(stat=stat, path=os.path))
    assert standby.identity(node.machine) == standby.identity(node.machine)
