# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Observe on the node, plan on the controller, where the approved lists are."""

from __future__ import annotations

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..module_utils.errors import MsrSafeError
from ..module_utils.provisioning.change import deferrals, describe_change, describe_deferrals, due, due_stages
from ..module_utils.provisioning.deferred import is_remembered
from ..module_utils.provisioning.plan import needing_idle
from ..plugin_utils.failure import ActionFailure
from ..plugin_utils.policy import wanted_policy
from ..plugin_utils.variables import require_chosen, unknown_variables
from ..plugin_utils.wanted import observation_options, options_of_role, plan, wanted_settings


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        options, warnings = dict(self._task.args), []
        try:
            if boolean(options.pop('of_role', False)):
                require_chosen('msr_safe_hosts', self._templar.template, task_vars)
                warnings = unknown_variables(task_vars)
                options = dict(options_of_role(task_vars, self._templar.template), **options)
            settings = wanted_settings(options, self._loader)
            settings['policy'] = wanted_policy(self, settings['policy'], task_vars)
            # Of the policy, what is for this host: conditions that came back with a result would not be trusted again
            options['policy'] = settings['policy']['statements'] if settings['policy'] else []
            result.update(self.plan(settings, task_vars))
        except MsrSafeError as error:
            raise ActionFailure(str(error)) from None
        result['warnings'] = warnings + result['warnings']
        if result['pending']:
            result['options'] = options
        return result

    def plan(self, settings, task_vars):
        observed = self.observe(settings, task_vars, lists=False)
        changes, wanted, warnings = plan(observed, settings)
        if self._task.diff and 'approve' in due_stages(changes):
            changes, wanted, warnings = plan(self.observe(settings, task_vars, lists=True), settings)
        waiting = deferrals(changes)
        remembers = is_remembered(waiting, observed['deferred'])
        result = {
            'changed': False,
            'changes': [shown(change, self._task.diff) for change in due(changes)],
            'due': due_stages(changes),
            'deferred': describe_deferrals(waiting),
            'waiting': waiting,
            'remembers': remembers,
            'needs_idle': [describe_change(change) for change in needing_idle(observed, changes)],
            'pending': bool(changes) or not remembers,
            'warnings': warnings,
        }
        if observed['policy']:
            result['warnings'] += observed['policy']['notes']
        if wanted and wanted['approved_list']:
            result['approved_list'] = {
                name: value for name, value in wanted['approved_list'].items() if name != 'file_text'
            }
        return result

    def observe(self, settings, task_vars, lists):
        options = observation_options(settings)
        options.update(lists=lists, root=settings['root'], _policy=options.pop('policy'))
        answer = self._execute_module(
            module_name='hpc.msr_safe.msr_safe_info',
            module_args=options,
            task_vars=task_vars,
        )
        if 'msr_safe' not in answer:
            raise ActionFailure(answer.get('msg', 'The node could not be observed.'), result=answer)
        return answer['msr_safe']


def shown(change, with_texts):
    """Return a change as it is kept for the next task: the texts of the diff are many kB a host."""
    return change if with_texts else dict(change, before='', after='')
