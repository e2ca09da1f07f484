# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Save a node's registers; keep the snapshot on the controller where that is wanted."""

from __future__ import annotations

from ansible.module_utils.common.validation import check_type_list
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine
from ..module_utils.snapshots.save import plan_save, save
from ..module_utils.snapshots.selection import EVERYTHING
from ..module_utils.snapshots.snapshot import parse_snapshot
from ..plugin_utils.failure import ActionFailure
from ..plugin_utils.register_definitions import definitions_of_cpu
from ..plugin_utils.snapshot_file import TYPES, snapshot_file
from ..plugin_utils.types import require_types_of_task


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        require_types_of_task(self, TYPES)
        result = self._execute_module(task_vars=task_vars)
        if 'needs_definitions' in result:
            definitions = definitions_of_cpu(result['needs_definitions'])
            result = self._execute_module(
                module_args=dict(self._task.args, _definitions=definitions), task_vars=task_vars
            )
        text = result.pop('snapshot', None)
        if text is not None:
            try:
                self.keep(result, text, snapshot_file(self, task_vars))
            except MsrSafeError as error:
                raise ActionFailure(str(error), result=result) from None
        return result

    def keep(self, result, text, path):
        """Put a snapshot's text into a file of the controller, and say so in the result."""
        machine = Machine()
        overwrite = boolean(self._task.args.get('overwrite', False))
        registers, kinds = (check_type_list(self._task.args.get(name) or []) for name in ('registers', 'kinds'))
        selection = EVERYTHING._replace(registers=registers, kinds=kinds or EVERYTHING.kinds)
        before, after = plan_save(machine, path, parse_snapshot(text, path), overwrite, selection)
        if before != after and not self._task.check_mode:
            save(machine, path, after)
        result['controller_path'] = path
        result['changed'] = result['changed'] or before != after
        difference = {'before_header': path, 'after_header': path, 'before': before or '', 'after': after}
        result['diff'] = [result['diff'], difference] if 'diff' in result else difference
