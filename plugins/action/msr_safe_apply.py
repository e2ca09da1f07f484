# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Carry out planned changes: in check mode from the plan alone, otherwise on the node with the files it needs."""

from __future__ import annotations

import tempfile

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.errors import MsrSafeError
from ..module_utils.provisioning.collection import COLLECTION, WITH_PAYLOAD


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _dummy, arguments = self.validate_argument_spec(
            {
                'changes': {'type': 'list', 'elements': 'dict', 'required': True},
                'stages': {'type': 'list', 'elements': 'str'},
            }
        )
        changes = [
            change
            for change in arguments['changes']
            if arguments['stages'] is None or change['stage'] in arguments['stages']
        ]
        if self._task.check_mode or not changes:
            result.update(changed=bool(changes), done=[change['title'] for change in changes])
        else:
            try:
                result.update(self.carry_out(changes, task_vars))
            except MsrSafeError as error:
                raise AnsibleActionFail(str(error)) from None
        if self._task.diff:
            result['diff'] = [diff for diff in map(difference, changes) if diff]
        return result

    def carry_out(self, changes, task_vars):
        """Send each change that has a payload by itself, and runs of those without together."""
        done = []
        for group in by_payload(changes):
            payload = COLLECTION.payload_of(group[0])
            result = self._execute_module(
                module_name='hpc.msr_safe.msr_safe_apply',
                module_args={'changes': group, 'archive': payload and self.send(payload)},
                task_vars=task_vars,
            )
            done += result.get('done', [])
            if result.get('failed'):
                break
        return dict(result, done=done, changed=bool(done))

    def send(self, payload):
        """Put bytes into a file on the node; return its path there."""
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, 'payload')
        with tempfile.NamedTemporaryFile() as local:
            local.write(payload)
            local.flush()
            self._transfer_file(local.name, remote)
        self._fixup_perms2((self._connection._shell.tmpdir, remote))
        return remote


def by_payload(changes):
    """Return the changes in order, in lists that one module execution each carries out."""
    groups = []
    for change in changes:
        if groups and change['action'] not in WITH_PAYLOAD and groups[-1][0]['action'] not in WITH_PAYLOAD:
            groups[-1].append(change)
        else:
            groups.append([change])
    return groups


def difference(change):
    """Return Ansible's diff of a change, or None where its title says it all."""
    if change['before'] == change['after']:
        return None
    subject = change.get('path', change['title'])
    return {
        'before_header': subject,
        'after_header': subject,
        'before': change['before'],
        'after': change['after'],
    }
