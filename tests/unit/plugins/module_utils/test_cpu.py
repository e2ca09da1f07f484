# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.cpu import (
    describe_cpu,
    first_processor,
    list_name,
    online_cpus,
    read_cpu,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError


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
