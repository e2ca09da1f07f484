# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Look at the options on the controller, observe on the node, plan on the controller."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..module_utils.errors import MsrSafeError
from ..module_utils.provisioning.change import deferrals, describe_deferrals, due, due_stages
from ..module_utils.provisioning.deferred import is_remembered
from ..plugin_utils.failure import ActionFailure
from ..plugin_utils.variables import require_chosen, unknown_variables
from ..plugin_utils.wanted_jobs import PLACES, plan, wanted_settings


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        try:
            require_chosen('slurm_msr_hosts', self._templar.template, task_vars)
            warnings = unknown_variables(task_vars)
            settings = wanted_settings(self._task.args)
            observed = self.observe(settings, task_vars)
            changes, more_warnings, artifact = plan(observed, settings)
        except MsrSafeError as error:
            raise ActionFailure(str(error)) from None
        waiting = deferrals(changes)
        remembers = is_remembered(waiting, observed['deferred'])
        result.update(
            changed=False,
            changes=due(changes),
            due=due_stages(changes),
            deferred=describe_deferrals(waiting),
            waiting=waiting,
            remembers=remembers,
            pending=bool(changes) or not remembers,
            warnings=warnings + more_warnings,
        )
        result['slurm_version'] = observed['slurm'] and observed['slurm']['version']
        if artifact:
            result['artifact'] = artifact
        return result

    def observe(self, settings, task_vars):
        answer = self._execute_module(
            module_name='hpc.msr_safe.msr_jobs_info',
            module_args={name: settings[name] for name in ('submit_only', *PLACES)},
            task_vars=task_vars,
        )
        if 'msr_jobs' not in answer:
            raise ActionFailure(answer.get('msg', 'The node could not be observed.'), result=answer)
        return answer['msr_jobs']
