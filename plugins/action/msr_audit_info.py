# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Observe what an audit compares, and say which statements of a policy are for the node."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..plugin_utils.policy import definitions_for, statements_for


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        statements = statements_for(self, arguments.pop('policy', []), task_vars)
        arguments['_definitions'] = definitions_for(statements)
        result = self._execute_module(module_args=arguments, task_vars=task_vars)
        return dict(result, policy=statements) if 'observation' in result else result
