# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Make a node hold a policy: its statements for this host go along with what they need of the table of registers."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..plugin_utils.policy import wanted_policy


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        policy = wanted_policy(self, self._task.args.get('policy'), task_vars) or {'statements': [], 'definitions': []}
        arguments = dict(self._task.args, policy=policy['statements'], _definitions=policy['definitions'])
        return self._execute_module(module_args=arguments, task_vars=task_vars)
