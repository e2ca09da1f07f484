# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Compare what the hosts of the play were found to hold, on the controller."""

from __future__ import annotations

import os
import shlex
import shutil
import time

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.audit.category import STATES
from ..module_utils.audit.kept import RFC3339
from ..module_utils.audit.summary import headline, summarize
from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine
from ..plugin_utils.audit import audit, record
from ..plugin_utils.failure import ActionFailure
from ..plugin_utils.types import require_types_of_task
from ..plugin_utils.variables import unknown_variables

ARGUMENT_SPEC = {
    'variable': {'type': 'str', 'default': 'msr_audit_observed'},
    'directory': {'type': 'path', 'default': '~/msr-audit'},
    'title': {'type': 'str', 'default': 'Audit of registers'},
    'baseline': {'type': 'path'},
    'keep': {'type': 'int', 'default': 100},
    'keep_days': {'type': 'int', 'default': 400},
    'fail_on': {'choices': ['never', *STATES[:-1]], 'default': 'drift'},
}


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        require_types_of_task(self, ARGUMENT_SPEC)
        _dummy, arguments = self.validate_argument_spec(ARGUMENT_SPEC)
        for name in ('keep', 'keep_days'):
            if arguments[name] < 0:
                raise ActionFailure(f'{name} is {arguments[name]}: give 0 or more.')
        arguments['directory'] = self._loader.path_dwim(os.path.expanduser(arguments['directory']))
        if arguments['baseline']:
            arguments['baseline'] = self._loader.path_dwim(os.path.expanduser(arguments['baseline']))
        try:
            unknown = unknown_variables(task_vars)
            run = record(self.registered(arguments['variable'], task_vars), time.strftime(RFC3339, time.gmtime()))
            comparison, run, files = audit(Machine(), run, arguments, write=not self._task.check_mode)
        except MsrSafeError as error:
            raise ActionFailure(str(error)) from None
        width = min(100, shutil.get_terminal_size().columns)
        Display().display(f'\n{summarize(comparison, run, files, inventory_options(task_vars), width)}\n')
        result.update(files, changed=False, counts=comparison.counts, warnings=unknown + files['warnings'])
        if any(comparison.counts[state] for state in failing(arguments['fail_on'])):
            result.update(failed=True, msg=f'{headline(comparison, run)} See {files["page"] or "above"}.')
        return result

    def registered(self, variable, task_vars):
        """Return {host: what it registered} of all hosts of the play."""
        hostvars = task_vars['hostvars']
        return {host: hostvars.raw_get(host).get(variable) or {} for host in task_vars['ansible_play_hosts_all']}


def inventory_options(task_vars):
    """Return the options that name the inventory, for commands that are suggested."""
    return ''.join(f'-i {shlex.quote(source)} ' for source in task_vars.get('ansible_inventory_sources') or ())


def failing(fail_on):
    """Return the states with which the task fails."""
    return () if fail_on == 'never' else STATES[: STATES.index(fail_on) + 1]
