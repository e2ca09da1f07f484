# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Observe on the node, plan on the controller, where the approved lists are."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.errors import MsrSafeError
from ..module_utils.provisioning.change import due_stages
from ..plugin_utils.policy import wanted_policy
from ..plugin_utils.wanted import plan, wanted_settings


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        settings = wanted_settings(self._task.args)
        settings['policy'] = wanted_policy(self, settings['policy'], task_vars)
        try:
            return {**result, **self.plan(settings, task_vars)}
        except MsrSafeError as error:
            raise AnsibleActionFail(str(error)) from None

    def plan(self, settings, task_vars):
        observed = self.observe(settings, task_vars, lists=False)
        changes, wanted, warnings = plan(observed, settings)
        if self._task.diff and 'approve' in due_stages(changes):
            changes, wanted, warnings = plan(self.observe(settings, task_vars, lists=True), settings)
        result = {
            'changed': False,
            'observed': observed,
            'changes': changes,
            'due': due_stages(changes),
            'warnings': warnings,
        }
        if observed['policy']:
            result['warnings'] += observed['policy']['notes']
        if wanted:
            result['artifact'] = wanted['artifact']
            result['approved_list'] = {
                name: value for name, value in wanted['approved_list'].items() if name != 'file_text'
            }
        return result

    def observe(self, settings, task_vars, lists):
        answer = self._execute_module(
            module_name='hpc.msr_safe.msr_safe_info',
            module_args={
                'kernel_release': settings['kernel_release'],
                'group': settings['group'],
                'lists': lists,
                '_policy': settings['policy'],
            },
            task_vars=task_vars,
        )
        if 'msr_safe' not in answer:
            raise AnsibleActionFail(answer.get('msg', 'The node could not be observed.'), result=answer)
        return answer['msr_safe']
