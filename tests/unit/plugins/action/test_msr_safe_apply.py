# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

from ansible_collections.hpc.msr_safe.plugins.action.msr_safe_apply import ActionModule

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
