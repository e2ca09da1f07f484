# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.cpu import (
    describe_cpu,
    first_processor,
    list_name,
    online_cpus,
    read_cpu,
    select_cpus,
)


@pytest.mark.parametrize(
    'family, model, name',
    [
        (6, 0x55, 'al_0655'),
        (6, 0x8F, 'al_068f'),
        (25, 1, 'al_191'),
        (23, 0x31, 'al_1731'),
        (26, 2, 'al_1a2'),
        (26, 0x11, 'al_1a11'),
        (25, 0x10, 'al_1910'),
    ],
)
def test_names_the_list_after_the_signature(family, model, name):
    assert list_name({'family': family, 'model': model}) == name


def test_reads_what_the_kernel_says(node):
    assert read_cpu(node.machine) == {
        'vendor': 'GenuineIntel',
        'family': 6,
        'model': 85,
        'stepping': 7,
        'microcode': '0x5003604',
        'model_name': 'Some CPU @ 2.10GHz',
        'online': '0-3',
    }


def test_only_the_first_processor_counts():
    assert first_processor('model : 1\n\nmodel : 2\n') == {'model': '1'}


def test_a_value_may_have_colons():
    assert first_processor('model name : a: b\n') == {'model name': 'a: b'}


def test_microcode_and_name_may_be_missing(node):
    node.put('/proc/cpuinfo', 'vendor_id : GenuineIntel\ncpu family : 6\nmodel : 85\nstepping : 4\n')
    cpu = read_cpu(node.machine)
    assert (cpu['microcode'], cpu['model_name']) == ('unknown', 'unknown')


@pytest.mark.parametrize(
    'cpuinfo',
    [
        '',
        'processor : 0\nBogoMIPS : 50.00\nCPU architecture: 8\n',
        'vendor_id : x\ncpu family : six\nmodel : 1\nstepping : 1\n',
        b'\xff\xfe\x00',
    ],
)
def test_other_processors_are_refused(node, cpuinfo):
    node.put('/proc/cpuinfo', cpuinfo)
    with pytest.raises(MsrSafeError, match='x86'):
        read_cpu(node.machine)


def test_a_missing_cpuinfo_is_refused(node):
    node.remove('/proc/cpuinfo')
    with pytest.raises(MsrSafeError, match='/proc/cpuinfo'):
        read_cpu(node.machine)


def test_online_cpus_may_have_holes(node):
    node.set_online('0-1,3')
    assert online_cpus(node.machine) == [0, 1, 3]


def test_a_processor_in_words():
    cpu = {'vendor': 'AuthenticAMD', 'family': 25, 'model': 1}
    assert describe_cpu(cpu) == 'AuthenticAMD family 25 model 1 (al_191)'


@pytest.fixture
def threaded_node(node):
    """Two packages of one core with two threads each; the second thread of the first is offline."""
    node.set_online('0,2-3')
    for cpu, package, siblings in ((0, '0', '0'), (2, '1', '2-3'), (3, '1', '2-3')):
        node.put('/sys/devices/system/cpu/cpu%d/topology/physical_package_id' % cpu, package + '\n')
        node.put('/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list' % cpu, siblings + '\n')
    return node


@pytest.mark.parametrize(
    'text, cpus',
    [
        ('all', [0, 2, 3]),
        ('one_per_package', [0, 2]),
        ('one_per_core', [0, 2]),
        ('2-3', [2, 3]),
        ('3,0', [0, 3]),
    ],
)
def test_selects_cpus(threaded_node, text, cpus):
    assert select_cpus(threaded_node.machine, text) == cpus


def test_cores_of_one_package(threaded_node):
    threaded_node.put('/sys/devices/system/cpu/cpu3/topology/thread_siblings_list', '3\n')
    assert select_cpus(threaded_node.machine, 'one_per_core') == [0, 2, 3]
    assert select_cpus(threaded_node.machine, 'one_per_package') == [0, 2]


@pytest.mark.parametrize(
    'text, words',
    [
        ('0-2', r'CPU 1 is not online\.\nOnline are 0,2-3.*one_per_package'),
        ('3-9', r'CPU 4-9 is not online'),
        ('', 'No CPU is given'),
        ('one_per_socket', 'Not a cpulist'),
    ],
)
def test_cpus_that_are_not_there_are_refused(threaded_node, text, words):
    with pytest.raises(MsrSafeError, match='(?s)' + words):
        select_cpus(threaded_node.machine, text)


@pytest.fixture
def node_of_two_dies(node):
    """One package of two dies, two CPUs each."""
    for cpu in range(4):
        topology = '/sys/devices/system/cpu/cpu%d/topology/' % cpu
        node.put(topology + 'physical_package_id', '0\n')
        node.put(topology + 'die_id', '%d\n' % (cpu // 2))
    return node


def test_selects_one_per_die(node_of_two_dies):
    assert select_cpus(node_of_two_dies.machine, 'one_per_die') == [0, 2]
    assert select_cpus(node_of_two_dies.machine, 'one_per_package') == [0]


def test_what_there_is_once_per_die_is_not_done_with_once_per_package(node_of_two_dies):
    assert select_cpus(node_of_two_dies.machine, 'one_per_package', 'die') == [0, 2]
    for scope in ('package', 'core', 'cpu', ''):
        assert select_cpus(node_of_two_dies.machine, 'one_per_package', scope) == [0]
    assert select_cpus(node_of_two_dies.machine, '1', 'die') == [1]


def test_a_kernel_that_tells_no_dies_has_one_per_package(threaded_node):
    assert select_cpus(threaded_node.machine, 'one_per_die') == [0, 2]


def test_without_a_topology_it_says_so(node):
    with pytest.raises(MsrSafeError, match='topology of CPU 0'):
        select_cpus(node.machine, 'one_per_core')
