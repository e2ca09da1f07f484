# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Read a node's registers: their definitions go along."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..plugin_utils.register_definitions import definitions_of, items_of
from ..plugin_utils.types import require_types_of_task

TYPES = {'registers': {'type': 'list', 'elements': 'str'}, 'cpus': {'type': 'str'}}


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        require_types_of_task(self, TYPES)
        arguments = dict(self._task.args)
        arguments['_definitions'] = definitions_of(items_of(arguments.get('registers')))
        return self._execute_module(module_args=arguments, task_vars=task_vars)
