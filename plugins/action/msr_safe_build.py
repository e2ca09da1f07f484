# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Build on the builder, the task's host: once in a run for each kernel, whichever of the nodes comes first."""

from __future__ import annotations

import base64

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine
from ..module_utils.provisioning.collection import COLLECTION
from ..module_utils.provisioning.tree import pack_tree
from ..plugin_utils.failure import ActionFailure
from ..plugin_utils.once import once
from ..plugin_utils.sending import send


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _dummy, arguments = self.validate_argument_spec(
            {
                'changes': {'type': 'list', 'elements': 'dict', 'required': True},
                'install_packages': {'type': 'bool', 'default': True},
            }
        )
        done = []
        for change in arguments['changes']:
            if change['action'] == 'build_module' and change.get('artifact'):
                name = '%s %s' % (change['artifact'], self._task.check_mode)
                done += once(name, lambda change=change: self.build(change, arguments['install_packages'], task_vars))
        # What was done is for people to read, not only with -v
        return {**result, 'changed': bool(done), 'done': done, '_ansible_verbose_always': True}

    def build(self, change, install_packages, task_vars):
        """Build, and keep the module on the controller; return what was done, a line each. Raises ActionFailure."""
        builder = self._task.delegate_to or task_vars['inventory_hostname']
        answer = self.execute(
            builder,
            {'_change': change, 'install_packages': install_packages},
            COLLECTION.payload(change),
            task_vars,
        )
        if answer.get('failed') or answer.get('unreachable') or 'done' not in answer:
            raise ActionFailure('The builder %s: %s' % (builder, failure_of(answer)))
        if answer['module']:
            keep(change['artifact'], base64.b64decode(answer['module']))
        return ['%s, on %s' % (line, builder) for line in answer['done']]

    def execute(self, builder, arguments, payload, task_vars):
        """Run the module on the builder, with the module's source in a file there."""
        try:
            return self._execute_module(
                module_name='hpc.msr_safe.msr_safe_build',
                module_args=dict(arguments, _payloads=send(self, pack_tree({'source': payload}))),
                task_vars=task_vars,
            )
        except AnsibleConnectionFailure as error:
            raise ActionFailure('The builder %s is unreachable: %s' % (builder, error)) from None


def keep(path, module):
    """Put a module into a file of the controller. Raises ActionFailure, with what to do there and not on a node."""
    try:
        Machine().write(path, module)
    except MsrSafeError as error:
        raise ActionFailure(
            '%s\nThat is on the controller: name a directory in msr_safe_artifacts that you may write.' % error.problem
        ) from None


def failure_of(answer):
    """Return what an answer says of its failure: also what stands beside it where the module did not even begin."""
    parts = (answer.get('msg'), answer.get('module_stderr'), answer.get('module_stdout'))
    return '\n'.join(part.strip() for part in parts if part and part.strip()) or 'no answer'
