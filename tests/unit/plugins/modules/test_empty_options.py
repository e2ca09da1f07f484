# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Options of the modules that are there and empty, as variables make them: never more is done than was said."""

import importlib
import json

import pytest
from ansible.module_utils import basic
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.cpu import list_name, read_cpu
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of
from ansible_collections.hpc.msr_safe.plugins.module_utils.settings.definitions import pack
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.conftest import wired
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import LIST, PREFETCHERS, FakeNode

MODULES = 'ansible_collections.hpc.msr_safe.plugins.modules.'
SETTING = {'register': 'MISC_FEATURE_CONTROL', 'field': 'L2_HW_PREFETCHER_DISABLE', 'value': '1'}


class Ended(Exception):
    pass


@pytest.fixture
def node(tmp_path, monkeypatch):
    fake = wired(FakeNode(tmp_path / 'node'), monkeypatch)
    monkeypatch.setattr(basic, '_ANSIBLE_PROFILE', 'legacy', raising=False)

    def leave(self, **answer):
        raise Ended(dict(answer, failed=False))

    def fail(self, msg, **answer):
        raise Ended(dict(answer, failed=True, msg=msg))

    monkeypatch.setattr(basic.AnsibleModule, 'exit_json', leave)
    monkeypatch.setattr(basic.AnsibleModule, 'fail_json', fail)
    for name in ('msr', 'msr_approved_list', 'msr_save', 'msr_restore'):
        monkeypatch.setattr(importlib.import_module(MODULES + name), 'Machine', lambda: fake.machine)
    return fake


def run(name, **options):
    """Run a module; return what it answers."""
    basic._ANSIBLE_ARGS = json.dumps({'ANSIBLE_MODULE_ARGS': options}).encode('utf-8')
    with pytest.raises(Ended) as ended:
        importlib.import_module(MODULES + name).main()
    return ended.value.args[0]


def set_registers(node, **options):
    cpu = read_cpu(node.machine)
    definitions = pack([list_name(cpu)], [registers_of(cpu).find(SETTING['register'])])
    return run('msr', _definitions=[definitions], **options)


def test_what_is_left_out_of_a_setting_has_its_default(node):
    assert set_registers(node, settings=[SETTING, dict(SETTING, cpus=None, mask=None)], cpus='1-2')['changed']
    assert [node.register(PREFETCHERS, cpu) for cpu in range(4)] == [0, 1, 1, 0]


@pytest.mark.parametrize('option', ['register', 'field', 'value', 'mask', 'cpus'])
@pytest.mark.parametrize('several', [True, False])
def test_an_empty_option_of_a_setting_is_refused(node, option, several):
    """An empty field would be the whole register, empty CPUs all of them."""
    node.set_register(PREFETCHERS, 0xE)
    setting = dict(SETTING, **{option: ''})
    answer = set_registers(node, settings=[setting]) if several else set_registers(node, **setting)
    assert answer['failed'] and 'has an empty %s.' % option in answer['msg']
    assert [node.register(PREFETCHERS, cpu) for cpu in range(4)] == [0xE] * 4


@pytest.mark.parametrize('option', ['register', 'value'])
def test_a_setting_without_what_it_needs_is_refused(node, option):
    assert 'has an empty %s.' % option in set_registers(node, **dict(SETTING, **{option: None}))['msg']


def test_no_settings_are_nothing_to_do(node):
    answer = set_registers(node, settings=[])
    assert (answer['failed'], answer['changed'], answer['changes']) == (False, False, [])


@pytest.mark.parametrize('name', ['msr_save', 'msr_restore'])
@pytest.mark.parametrize('path', ['', None])
def test_a_snapshot_is_somewhere(node, name, path):
    """A save to nowhere was well and did nothing."""
    answer = run(name, path=path)
    assert answer['failed'] and 'Nothing says where the snapshot is.' in answer['msg']
    assert not node.batches


@pytest.mark.parametrize('option', [{'content': ''}, {'content': ' \n'}, {'content': None}, {'src': ''}, {'src': None}])
def test_a_list_that_is_empty_is_no_list(node, option):
    """It would take everything from users, now and at each boot; whoever means that says state: absent."""
    active = node.active()
    answer = run('msr_approved_list', **option)
    assert answer['failed'] and 'The list is empty.' in answer['msg']
    assert node.active() == active
    assert run('msr_approved_list', state='absent')['changed'] and not node.active()


VALUES = ['word', 7, 2.5, True, False, {}, {'a': 1}, [], ['word'], [None], [[1]], [{'a': 1}], [True]]


@pytest.mark.parametrize('option', ['content', 'src', 'allow_unsafe', 'persist', 'for_this_cpu_anyway', 'state'])
def test_an_option_of_any_type_leaves_the_list_or_means_what_it_says(node, option):
    """What goes to the node by no action plugin is converted there."""
    active, rest = node.active(), {} if option in ('content', 'src') else {'content': LIST}
    for value in VALUES:
        answer = run('msr_approved_list', **dict(rest, **{option: value}))
        assert answer['failed'] or isinstance(value, bool) or value == [] or (option, value) == ('allow_unsafe', 7)
        assert node.active() == active
