# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What an audit collects of a node."""

from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.observation import observe_for_audit
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.deferred import (
    DEFERRED_OF_SLURM,
    remember_deferred,
)
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    COUNTER,
    MISC_ENABLE,
    THERMAL,
    TURBO_OFF,
)


def test_registers_are_read_once_in_one_batch_and_those_that_move_are_left_out(node):
    node.set_register(MISC_ENABLE, TURBO_OFF, [1])
    observed = observe_for_audit(node.machine)
    assert len(node.batches) == 1
    assert observed['registers']['0x000001A0'] == [
        {'0x0000000000000000': '0,2-3', '0x0000004000000000': '1'},
        {},
    ]
    read = {address for _cpu, _what, address in node.batches[0]}
    assert not read & {COUNTER, THERMAL}
    assert '0x000000CE' in observed['registers']  # read only


def test_it_writes_nothing(node):
    observe_for_audit(node.machine)
    assert all(what == 'read' for batch in node.batches for _cpu, what, _address in batch)
    assert node.commands == []


def test_the_list_in_force_is_compared_with_that_of_the_node(node):
    assert observe_for_audit(node.machine)['approved_list']['installed'] is True
    node.activate('0x1A0 0x0\n')
    observed = observe_for_audit(node.machine)['approved_list']
    assert (observed['installed'], observed['registers']) == (False, 1)
    node.remove('/etc/msr-safe/approved_list')
    assert observe_for_audit(node.machine)['approved_list']['installed'] is None


def test_a_node_without_msr_safe_says_so(bare_node):
    bare_node.put('/dev/cpu/0/msr', '')
    observed = observe_for_audit(bare_node.machine)
    assert (observed['module'], observed['approved_list'], observed['registers']) == (None, None, {})
    assert observed['stock_driver'] is True


def test_packages_and_firmware_are_those_of_the_node(node):
    for cpu, package in enumerate((0, 0, 1, 1)):
        node.put('/sys/devices/system/cpu/cpu%d/topology/physical_package_id' % cpu, '%d\n' % package)
    node.put('/sys/class/dmi/id/bios_version', '3.4\n')
    node.put('/sys/class/dmi/id/bios_vendor', 'AMI\n')
    node.put('/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver', 'intel_pstate\n')
    observed = observe_for_audit(node.machine)
    assert observed['packages'] == ['0-1', '2-3']
    assert (observed['bios'], observed['cpufreq']) == ('AMI 3.4', 'intel_pstate')


def test_a_register_that_faults_is_kept_with_the_reason(node):
    node.faults.add((2, MISC_ENABLE))
    values, errors = observe_for_audit(node.machine)['registers']['0x000001A0']
    assert values == {'0x0000000000000000': '0-1,3'}
    assert list(errors.values()) == ['2'] and 'faulted' in next(iter(errors))


def test_what_the_role_deferred_is_collected(node):
    assert observe_for_audit(node.machine)['deferred'] == []
    remember_deferred(node.machine, [{'what': 'load: load msr_safe', 'why': 'job 42 is on the node'}])
    restart = {'what': 'restart: restart slurmd', 'why': 'job 42 is on the node'}
    remember_deferred(node.machine, [restart], DEFERRED_OF_SLURM)
    told = [(each['what'], each['why']) for each in observe_for_audit(node.machine)['deferred']]
    assert told == [
        ('load: load msr_safe', 'job 42 is on the node'),
        ('restart: restart slurmd', 'job 42 is on the node'),
    ]


def test_no_list_is_ever_put_in_force_for_it(node):
    observe_for_audit(node.machine)
    assert node.list_device.published == []


DEFINITIONS = [
    {'cpus': ['al_0655'], 'registers': [[0x610, 'MSR_PKG_POWER_LIMIT', 'configuration', 'package', [], 0xFFFF]]},
    {'cpus': ['al_1901'], 'registers': [[0xC0010015, 'HWCR', 'configuration', 'core', [], 1 << 25]]},
]


def test_registers_of_the_policy_are_looked_at_whatever_the_list_says(node):
    node.set_register(0x610, 0x158668)
    registers = observe_for_audit(node.machine, DEFINITIONS)['registers']
    assert registers['0x00000610'] == [{'0x0000000000158668': '0-3'}, {}]
    assert '0xc0010015' not in {address.lower() for address in registers}
    assert len(node.batches) == 1


def test_another_msr_safe_says_that_they_are_not_on_its_list(node):
    node.knows_operators = False
    registers = observe_for_audit(node.machine, DEFINITIONS)['registers']
    assert registers['0x00000610'] == [{}, {'not on the active approved list': '0-3'}]
    assert registers['0x000001A0'][0]
