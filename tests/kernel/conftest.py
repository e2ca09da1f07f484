# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Every test finds the module loaded and TEST_LIST in force."""

import os

import msr_devices
import node
import pytest


def pytest_report_header(config):
    return 'node: %s, CPUs online: %s' % (' '.join(os.uname()[1:3]), node.online_cpus())


@pytest.fixture(autouse=True)
def test_list():
    if not node.module_is_loaded():
        status, message = node.load_module()
        assert status == 0, message
    assert msr_devices.write_list(msr_devices.TEST_LIST) == ('', 0)


@pytest.fixture
def log():
    kernel_log = node.KernelLog()
    yield kernel_log
    kernel_log.close()


@pytest.fixture
def unloaded():
    """The module is not loaded; whatever the test loads goes, and the defaults come back."""
    status, message = node.unload_module()
    assert status == 0, message
    yield
    if node.module_is_loaded():
        assert node.unload_module()[0] == 0
    assert node.load_module()[0] == 0


@pytest.fixture
def offline_cpu():
    """The number of a CPU that was just taken offline."""
    cpu = node.online_cpus()[-1]
    if cpu == 0:
        pytest.skip('the node has one CPU only')
    node.set_online(cpu, False)
    yield cpu
    node.set_online(cpu, True)


@pytest.fixture
def batch_fd():
    fd = os.open(msr_devices.BATCH, os.O_RDWR)
    yield fd
    os.close(fd)


@pytest.fixture
def cpu_fd():
    fd = os.open(msr_devices.cpu_node(0), os.O_RDWR)
    yield fd
    os.close(fd)
