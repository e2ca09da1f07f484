# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Make a node hold a policy: its statements for this host go along with what they need of the table of registers."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..plugin_utils.policy import registers_of_policy, statements_for
from ..plugin_utils.register_definitions import definitions_of


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        statements = statements_for(self, self._task.args.get('policy'), task_vars)
        arguments = {'policy': statements, 'definitions': definitions_of(registers_of_policy(statements))}
        return self._execute_module(module_args=arguments, task_vars=task_vars)
