# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Set a node's registers: their definitions go along."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..plugin_utils.register_definitions import definitions_of, items_of
from ..plugin_utils.types import require_types_of_task

SETTING = {
    'register': {'type': 'str'},
    'field': {'type': 'str'},
    'value': {'type': 'amount'},
    'unit': {'type': 'str'},
    'mask': {'type': 'str'},
    'cpus': {'type': 'str'},
}
TYPES = dict(SETTING, settings={'type': 'list', 'elements': 'dict', 'options': SETTING}, lock_timeout={'type': 'float'})


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        require_types_of_task(self, TYPES)
        arguments = dict(self._task.args)
        settings = [arguments] + [each for each in items_of(arguments.get('settings')) if isinstance(each, dict)]
        arguments['_definitions'] = definitions_of([each['register'] for each in settings if each.get('register')])
        return self._execute_module(module_args=arguments, task_vars=task_vars)
