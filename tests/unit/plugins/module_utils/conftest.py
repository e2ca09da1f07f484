# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Fixtures of the library's tests: a fake node, and files as nodes have them."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.access import batch, lease, operator
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists import active as active_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs import list_in_force
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    FakeFcntl,
    FakeLeaseOs,
    FakeListOs,
    FakeNode,
)


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node with the module loaded and a list active; registers and devices are in memory."""
    return wired(FakeNode(tmp_path / 'node'), monkeypatch)


def wired(fake, monkeypatch):
    """Return a fake node whose devices the library finds in the place of this machine's."""
    fake.list_device = FakeListOs(fake)
    monkeypatch.setattr(batch, 'fcntl', FakeFcntl(fake))
    monkeypatch.setattr(active_list, 'os', fake.list_device)
    monkeypatch.setattr(list_in_force, 'os', fake.list_device)
    monkeypatch.setattr(lease, 'fcntl', FakeFcntl(fake))
    monkeypatch.setattr(operator, 'fcntl', FakeFcntl(fake))
    monkeypatch.setattr(lease, 'os', FakeLeaseOs(fake))
    return fake


@pytest.fixture
def bare_node(tmp_path):
    """A node without anything of msr-safe."""
    fake = FakeNode(tmp_path / 'bare')
    for path in ('/dev/cpu/msr_batch', '/dev/cpu/msr_approved_list', '/etc/msr-safe/approved_list'):
        fake.remove(path)
    return fake
