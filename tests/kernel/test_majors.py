# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Major numbers: assigned, chosen, taken."""

import itertools

import msr_devices
import node
import pytest

PARAMETERS = {
    'mdev_msr_safe': 'msr_safe',
    'mdev_msr_batch': 'msr_batch',
    'mdev_msr_approved_list': 'msr_approved_list',
    'mdev_msr_version': 'msr_safe_version',
}


def parameter(name):
    with open('/sys/module/msr_safe/parameters/' + name) as file:
        return int(file.read())


def check_works():
    assert msr_devices.write_list(msr_devices.TEST_LIST) == ('', 0)
    assert msr_devices.run_batch([msr_devices.read_op(0, msr_devices.SCRATCH)])[0] == 0


@pytest.mark.parametrize('count', range(len(PARAMETERS) + 1))
def test_any_subset_may_be_chosen(unloaded, count):
    for names in itertools.combinations(PARAMETERS, count):
        chosen = {name: major for major, name in enumerate(names, 222)}
        assert node.load_module(**chosen) == (0, '')
        majors = node.majors()
        for name, device in PARAMETERS.items():
            assert majors[device] == chosen.get(name, majors[device])
            assert parameter(name) == chosen.get(name, 0)
        assert len(set(majors.values())) == 4
        check_works()
        assert node.unload_module()[0] == 0


def test_a_chosen_major_that_would_be_assigned_to_another_device(unloaded):
    assert node.load_module() == (0, '')
    assigned = node.majors()
    assert node.unload_module()[0] == 0
    devices = list(PARAMETERS.values())
    for (name, device), other in zip(PARAMETERS.items(), devices[1:] + devices[:1]):
        assert node.load_module(**{name: assigned[other]}) == (0, '')
        assert node.majors()[device] == assigned[other]
        assert node.unload_module()[0] == 0


@pytest.mark.parametrize('name', sorted(PARAMETERS))
def test_a_taken_major(unloaded, log, name):
    status, message = node.load_module(**{name: 1})
    assert status != 0
    assert 'busy' in message.lower()
    assert [line for line in log.read() if name + '=1' in line], log.lines
    assert not node.module_is_loaded()
    assert node.traces() == []


def test_one_major_for_two_devices(unloaded, log):
    assert node.load_module(mdev_msr_safe=222, mdev_msr_version=222)[0] != 0
    assert [line for line in log.read() if 'mdev_msr_version=222' in line], log.lines
    assert node.traces() == []


def test_a_major_out_of_range(unloaded, log):
    assert node.load_module(mdev_msr_batch=4096)[0] != 0
    assert [line for line in log.read() if 'mdev_msr_batch=4096' in line], log.lines
    assert node.traces() == []
