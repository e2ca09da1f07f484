# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Restore a node's registers; send its snapshot along where that is on the controller."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine
from ..plugin_utils.failure import ActionFailure
from ..plugin_utils.snapshot_file import TYPES, snapshot_file
from ..plugin_utils.types import require_types_of_task


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        require_types_of_task(self, TYPES)
        arguments = dict(self._task.args)
        if arguments.get('controller_directory'):
            path = snapshot_file(self, task_vars)
            arguments.update(controller_directory=path, _content=self.content_of(path))
        else:  # An empty one is none, and needs no content
            arguments.pop('controller_directory', None)
        return self._execute_module(module_args=arguments, task_vars=task_vars)

    def content_of(self, path):
        try:
            text = Machine().read_text(path)
        except MsrSafeError as error:
            raise ActionFailure(str(error)) from None
        if text is None:
            raise ActionFailure(
                f'There is no snapshot at {path} on the controller.\n'
                'Save one first: msr_save with controller_directory.'
            )
        return text
