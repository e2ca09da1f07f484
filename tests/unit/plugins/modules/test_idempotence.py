# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What modules promise (idempotent: full) on a node whose registers move: a second run of each changes nothing.

Which modules promise it is read from their documentation.
"""

import importlib
import json
import os
import pathlib

import pytest
import yaml
from ansible.module_utils import basic
from ansible_collections.hpc.msr_safe.plugins.doc_fragments import attributes
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.cpu import list_name, read_cpu
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of
from ansible_collections.hpc.msr_safe.plugins.module_utils.settings.definitions import pack
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.conftest import wired
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import KERNEL, FakeNode
from ansible_collections.hpc.msr_safe.tests.unit.plugins.stub_scontrol import StubSlurm

MODULES = 'ansible_collections.hpc.msr_safe.plugins.modules'
HERE = pathlib.Path(os.path.abspath(attributes.__file__)).parents[1] / 'modules'

# Of each kind; a job may write bits of all of them
LIST = """\
0x000000C1 0x0000FFFFFFFFFFFF # IA32_PMC0 (counter)
0x000000CE 0x0000000000000000 # MSR_PLATFORM_INFO
0x00000199 0x000000000000FFFF # IA32_PERF_CTL (governed)
0x0000019C 0x0000000000000AAA # IA32_THERM_STATUS (status)
0x000001A0 0x0000004000000000 # IA32_MISC_ENABLE
0x00000606 0x0000000000000000 # MSR_RAPL_POWER_UNIT
0x00000610 0x00FFFFFF00FFFFFF # MSR_PKG_POWER_LIMIT
0x00000614 0x0000000000000000 # MSR_PKG_POWER_INFO
"""
COUNTER, FREQUENCY, THERMAL, MISC_ENABLE, POWER_LIMIT = 0xC1, 0x199, 0x19C, 0x1A0, 0x610


class MovingNode(FakeNode):
    """A node whose registers hardware and kernel change by themselves: each time it is told to move, all of them."""

    def __init__(self, root):
        super().__init__(root)
        self.activate(LIST)
        self.put('/etc/msr-safe/approved_list', LIST)
        self.put('/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver', 'intel_cpufreq\n')
        self.set_register(0x606, 0xA0E03)
        self.set_register(0x614, 0x0A8002F80668)
        self.set_register(POWER_LIMIT, 0x158668)
        self.moves = 0

    def move(self):
        self.moves += 1
        for cpu in range(4):
            self.registers[cpu, COUNTER] = self.register(COUNTER, cpu) + 123457 * (cpu + 1)
            # Bits of the write mask: the kernel sets a frequency, hardware logs that it throttled
            self.registers[cpu, FREQUENCY] = (8 + self.moves + cpu) << 8
            self.registers[cpu, THERMAL] = (30 + self.moves) << 16 | (0xAAA if self.moves % 2 else 0)
            # Bits beside it
            self.registers[cpu, MISC_ENABLE] = self.register(MISC_ENABLE, cpu) ^ 1


@pytest.fixture
def node(tmp_path, monkeypatch):
    return wired(MovingNode(tmp_path / 'node'), monkeypatch)


def attributes_of(documentation):
    """Return the attributes of a module: those of the fragments that it names, and its own over them."""
    found = {}
    for fragment in documentation.get('extends_documentation_fragment', []):
        name = fragment[len('hpc.msr_safe.attributes') :].lstrip('.').upper() or 'DOCUMENTATION'
        if fragment.startswith('hpc.msr_safe.attributes'):
            found.update(yaml.safe_load(getattr(attributes.ModuleDocFragment, name))['attributes'])
    found.update(documentation.get('attributes', {}))
    return found


def promising():
    """Return the modules that promise to be idempotent in full."""
    modules = {path.stem: importlib.import_module('%s.%s' % (MODULES, path.stem)) for path in HERE.glob('msr*.py')}
    return sorted(
        name
        for name, module in modules.items()
        if attributes_of(yaml.safe_load(module.DOCUMENTATION))['idempotent']['support'] == 'full'
    )


def definitions(node, *addresses):
    """Return the definitions that an action plugin sends along."""
    cpu = read_cpu(node.machine)
    known = registers_of(cpu).by_address
    return [pack([list_name(cpu)], [known[address] for address in addresses])]


def save(node):
    return {'path': '/root/snapshot.json'}


def restore(node):
    """A snapshot of before, and turbo off since."""
    run(importlib.import_module(MODULES + '.msr_save'), save(node))
    node.set_register(MISC_ENABLE, 1 << 38)
    # What the kernel rewrites is its own; that it is written again is said in the documentation
    return {'path': '/root/snapshot.json', 'kinds': ['configuration']}


def setting(node):
    return {
        'register': 'PKG_POWER_LIMIT',
        'field': 'PL1_POWER_LIMIT',
        'value': '150',
        'unit': 'watts',
        '_definitions': definitions(node, 0x606, POWER_LIMIT, 0x614),
    }


def policy(node):
    statements = [{'control': 'turbo', 'value': 'off'}, {'control': 'package_power_limit', 'value': '165 W'}]
    return {'policy': statements, '_definitions': definitions(node, *registers_of(read_cpu(node.machine)).by_address)}


def approve(node):
    return {'content': LIST.replace('0x00FFFFFF00FFFFFF', '0x0000000000000000')}


def drain(node):
    slurm = StubSlurm(pathlib.Path(node.root) / 'bin')
    slurm.node('n1')
    return {'node': 'n1', 'state': 'drained', 'why': ['approve: activate al_0655'], 'bindir': str(slurm.directory)}


# What each is run with
OPTIONS = {
    'msr': setting,
    'msr_approved_list': approve,
    'msr_audit_info': lambda node: {'_definitions': definitions(node, 0x606, POWER_LIMIT, MISC_ENABLE)},
    'msr_info': lambda node: {'registers': ['IA32_THERM_STATUS', 'IA32_PMC0', 'IA32_PERF_CTL']},
    'msr_jobs_info': lambda node: {'submit_only': True},
    'msr_policy': policy,
    'msr_restore': restore,
    'msr_safe_drain': drain,
    'msr_safe_info': lambda node: {},
    'msr_save': save,
}
# These only look, and say that nothing is changed: what they return moves
LOOKING = {'msr_audit_info', 'msr_info', 'msr_jobs_info', 'msr_safe_info'}
# Documentation: what they do is on the controller, in an action plugin, which changes no node
ON_THE_CONTROLLER = {'msr_audit', 'msr_jobs_plan', 'msr_safe_plan'}


class Ended(Exception):
    pass


@pytest.fixture(autouse=True)
def answers(node, monkeypatch):
    """Modules find the node in the place of their machine, and their answers are kept."""
    for name in OPTIONS:
        module = importlib.import_module('%s.%s' % (MODULES, name))
        for factory in ('Machine', 'machine_of'):
            if hasattr(module, factory) and name != 'msr_safe_drain':
                monkeypatch.setattr(module, factory, lambda *dummy: node.machine)
    monkeypatch.setattr(basic, '_ANSIBLE_PROFILE', 'legacy', raising=False)

    def leave(self, **answer):
        raise Ended(answer)

    monkeypatch.setattr(basic.AnsibleModule, 'exit_json', leave)
    monkeypatch.setattr(basic.AnsibleModule, 'fail_json', lambda self, msg, **answer: pytest.fail(msg))


def run(module, options, check=False):
    """Run a module; return what it answers."""
    arguments = dict(options, _ansible_check_mode=check)
    basic._ANSIBLE_ARGS = json.dumps({'ANSIBLE_MODULE_ARGS': arguments}).encode('utf-8')
    with pytest.raises(Ended) as ended:
        module.main()
    return ended.value.args[0]


def test_what_promises_it_is_tested():
    assert promising() == sorted({*OPTIONS, *ON_THE_CONTROLLER})
    assert not [name for name in ON_THE_CONTROLLER if hasattr(importlib.import_module(MODULES + '.' + name), 'main')]


@pytest.mark.parametrize('name', sorted(OPTIONS))
def test_a_second_run_changes_nothing_on_registers_that_move(name, node):
    module = importlib.import_module('%s.%s' % (MODULES, name))
    options = OPTIONS[name](node)
    node.move()
    first = run(module, options)
    assert first['changed'] == (name not in LOOKING)
    for _again in range(3):
        node.move()
        predicted, done = run(module, options, check=True), run(module, options)
        assert (predicted['changed'], done['changed']) == (False, False), done


def test_counters_that_are_asked_for_are_saved_anew(node):
    module = importlib.import_module(MODULES + '.msr_save')
    for asked in ({'kinds': ['counter']}, {'registers': ['IA32_PMC0']}):
        options = dict(save(node), overwrite=True, **asked)
        run(module, options)
        node.move()
        assert run(module, options)['changed']


def test_a_setting_that_changed_is_saved_anew(node):
    module = importlib.import_module(MODULES + '.msr_save')
    run(module, save(node))
    node.set_register(MISC_ENABLE, 1 << 38)
    assert run(module, save(node))['changed']


def test_the_node_does_move(node):
    """Every register that a list opens, and bits within its mask as well as beside it."""
    before = dict(node.registers)
    node.move()
    moved = {address: before.get((0, address), 0) ^ node.register(address) for address in (COUNTER, FREQUENCY, THERMAL)}
    masks = {entry.address: entry.mask for entry in parse_list(LIST, 'LIST')}
    assert all(moved[address] & masks[address] for address in moved)
    assert node.register(MISC_ENABLE) != before.get((0, MISC_ENABLE), 0)
    assert KERNEL in node.get('/proc/sys/kernel/osrelease')
