# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.hpc.msr_safe.plugins.action.msr_safe_apply import ActionModule, require_nothing_left
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.wanted import wanted_settings
from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import observations

NOTHING = {'waiting': [], 'role': 'msr_safe'}


class Action(ActionModule):
    """The action plugin on a node that carries out all changes."""

    def __init__(self):
        self.given = None

    def _execute_module(self, module_name, module_args, task_vars):
        self.given = module_args
        return {'done': [change['title'] for change in module_args['changes']]}


def test_changes_that_need_no_files_are_carried_out_without():
    action = Action()
    change = {'stage': 'remove', 'action': 'remove_path', 'title': 'remove it', 'path': '/etc/msr-safe'}
    assert action.carry_out([change], NOTHING, None, None, None, {})['done'] == ['remove it']
    assert action.given['_payloads'] is None


def test_changes_of_an_image_are_carried_out_there():
    action = Action()
    change = {'stage': 'remove', 'action': 'remove_path', 'title': 'remove it', 'path': '/etc/msr-safe'}
    action.carry_out([change], NOTHING, None, None, '/srv/images/compute', {})
    assert action.given['root'] == '/srv/images/compute'


def test_what_waits_goes_along_for_the_node_to_remember():
    action, waiting = Action(), [{'what': 'load: load msr_safe', 'why': 'job 42 is on the node'}]
    action.carry_out([], {'waiting': waiting, 'role': 'slurm'}, None, None, None, {})
    assert (action.given['waiting'], action.given['role']) == (waiting, 'slurm')


def left(stages=None, **changes):
    """See that nothing is left to do on a node that is as wanted but for these changes."""
    _fresh, converged = observations()
    settings = dict(wanted_settings({}, DataLoader()), policy=None)
    return require_nothing_left(dict(converged, **changes), stages, settings)


def test_a_node_that_is_as_wanted_has_nothing_left_to_do():
    assert left() == []


def test_what_is_left_is_an_error_that_names_it():
    with pytest.raises(MsrSafeError, match=r'Still to do: boot: enable msr-safe.service\.\nAnother program'):
        left(service_enabled=False)
    assert left(stages=['approve'], service_enabled=False) == []


def test_udev_that_passes_over_the_group_is_the_cause_where_that_is_known():
    _fresh, converged = observations()
    devices = dict(converged['devices'], msr_batch={'major': 240, 'access': {'0660 root:root': ''}})
    with pytest.raises(MsrSafeError, match='The group msr has a number above 999'):
        left(devices=devices, group_at_boot='of users')
