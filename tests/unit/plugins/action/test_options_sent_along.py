# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What action plugins send to the module: all options of the task, wrong ones too, for the module to refuse."""

import importlib
from unittest import mock

import pytest
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.failure import ActionFailure

PLUGINS = 'ansible_collections.hpc.msr_safe.plugins.action.'
TURBO = {'control': 'turbo', 'value': 'off'}


def sent(name, **options):
    """Run an action plugin; return the options that the module gets."""
    task = mock.Mock(args=options, async_val=0, check_mode=False)
    plugin = importlib.import_module(PLUGINS + name).ActionModule(
        task, mock.Mock(), mock.Mock(), mock.Mock(path_dwim=str), mock.Mock(), mock.Mock()
    )
    with mock.patch.object(plugin, '_execute_module', return_value={}) as execute:
        plugin.run(None, {'inventory_hostname': 'n1'})
    return execute.call_args[1].get('module_args', options)


@pytest.mark.parametrize(
    'name, options',
    [
        ('msr', {'register': 'MISC_ENABLE', 'value': 1}),
        ('msr_info', {'registers': ['MISC_ENABLE']}),
        ('msr_policy', {'policy': [TURBO]}),
        ('msr_save', {'path': '/root/n1.json'}),
        ('msr_restore', {'path': '/root/n1.json'}),
    ],
)
def test_a_misspelt_option_is_not_dropped(name, options):
    assert sent(name, allow_patrial=True, **options)['allow_patrial'] is True


@pytest.mark.parametrize(
    'name, options',
    [
        ('msr', {'settings': 5}),
        ('msr_info', {'registers': 0x1A0}),
    ],
)
def test_what_is_no_list_is_left_to_the_module(name, options):
    """It refuses it in words, or takes it as a list of one."""
    answer = sent(name, **options)
    assert {key: answer[key] for key in options} == options


def test_a_directory_may_be_named_by_a_number():
    with pytest.raises(ActionFailure, match=r'no snapshot at 2026/n1\.json on the controller'):
        sent('msr_restore', controller_directory=2026)


@pytest.mark.parametrize('empty', ['', None])
def test_a_directory_that_is_empty_is_none(empty):
    """The module would miss an option that is not for users, and name it."""
    assert sent('msr_restore', path='/root/n1.json', controller_directory=empty) == {'path': '/root/n1.json'}
