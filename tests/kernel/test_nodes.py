# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Device nodes, their numbers, modes and classes; hotplug; unloading."""

import os
import stat

import msr_devices
import node
import pytest

SINGLE = [
    (msr_devices.BATCH, 'msr_batch', 0o600),
    (msr_devices.APPROVED_LIST, 'msr_approved_list', 0o600),
    (msr_devices.VERSION, 'msr_safe_version', 0o400),
]


def facts(path):
    status = os.stat(path)
    assert stat.S_ISCHR(status.st_mode)
    return os.major(status.st_rdev), os.minor(status.st_rdev), stat.S_IMODE(status.st_mode)


@pytest.mark.parametrize('path, name, mode', SINGLE)
def test_single_nodes(path, name, mode):
    assert facts(path) == (node.majors()[name], 0, mode)


def test_one_node_for_each_online_cpu():
    found = {int(name) for name in os.listdir('/dev/cpu') if os.path.exists('/dev/cpu/%s/msr_safe' % name)}
    assert found == set(node.online_cpus())
    for cpu in node.online_cpus():
        assert facts(msr_devices.cpu_node(cpu)) == (node.majors()['msr_safe'], cpu, 0o600)


@pytest.mark.parametrize('name', ['msr_safe', 'msr_batch', 'msr_approved_list', 'msr_safe_version'])
def test_sysfs_classes(name):
    assert os.listdir('/sys/class/' + name)


def test_nodes_follow_hotplug():
    cpu = node.online_cpus()[-1]
    if cpu == 0:
        pytest.skip('the node has one CPU only')
    node.set_online(cpu, False)
    gone = not os.path.exists(msr_devices.cpu_node(cpu))
    node.set_online(cpu, True)
    assert gone
    assert facts(msr_devices.cpu_node(cpu)) == (node.majors()['msr_safe'], cpu, 0o600)
    msr_devices.write_register(cpu, msr_devices.SCRATCH, 77)
    assert msr_devices.read_register(cpu, msr_devices.SCRATCH) == 77


def test_a_cpu_that_comes_after_the_module(unloaded, offline_cpu):
    assert node.load_module() == (0, '')
    assert not os.path.exists(msr_devices.cpu_node(offline_cpu))
    node.set_online(offline_cpu, True)
    assert facts(msr_devices.cpu_node(offline_cpu)) == (node.majors()['msr_safe'], offline_cpu, 0o600)


@pytest.mark.parametrize('path', [msr_devices.cpu_node(0)] + [entry[0] for entry in SINGLE])
def test_an_open_descriptor_holds_the_module(path):
    fd = os.open(path, os.O_RDONLY)
    status, message = node.unload_module()
    os.close(fd)
    assert status != 0
    assert 'in use' in message
    assert node.module_is_loaded()


def test_a_node_may_go_while_it_is_open():
    cpu = node.online_cpus()[-1]
    if cpu == 0:
        pytest.skip('the node has one CPU only')
    fd = os.open(msr_devices.cpu_node(cpu), os.O_RDONLY)
    node.set_online(cpu, False)
    refused = node.unload_module()[0] != 0
    node.set_online(cpu, True)
    assert len(os.pread(fd, 8, msr_devices.SCRATCH)) == 8
    os.close(fd)
    assert refused


def test_unloading_leaves_nothing(unloaded):
    assert node.traces() == []
