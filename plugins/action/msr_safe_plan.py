# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Observe on the node, plan on the controller, where the approved lists are."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.errors import MsrSafeError
from ..module_utils.hardware.devices import DEVICES
from ..module_utils.layout import STATE
from ..module_utils.provisioning.collection import COLLECTION, TIERS
from ..module_utils.provisioning.plan import due_stages, plan_absent, plan_present

MODES = {'msr_safe': '0660', 'msr_batch': '0660', 'msr_approved_list': '0600', 'msr_safe_version': '0440'}

ARGUMENT_SPEC = {
    'state': {'choices': ['present', 'absent'], 'default': 'present'},
    'kernel_release': {'type': 'str'},
    'build_directory': {'type': 'path', 'default': STATE},
    'artifacts': {'type': 'path'},
    'majors': {
        'type': 'dict',
        'default': {},
        'apply_defaults': True,
        'options': {device: {'type': 'int', 'default': 0} for device in DEVICES},
    },
    'group': {'type': 'str', 'default': 'msr'},
    'modes': {
        'type': 'dict',
        'default': {},
        'apply_defaults': True,
        'options': {device: {'type': 'str', 'default': mode} for device, mode in MODES.items()},
    },
    'tier': {'choices': list(TIERS), 'default': 'power'},
    'directories': {'type': 'list', 'elements': 'path', 'default': []},
    'allow_unsafe': {'type': 'list', 'elements': 'str', 'default': []},
    'shared': {'type': 'bool', 'default': False},
    'overrides': {
        'type': 'list',
        'elements': 'dict',
        'default': [],
        'options': {
            'register': {'type': 'str'},
            'address': {'type': 'str'},
            'write_mask': {'type': 'str'},
            'state': {'choices': ['present', 'absent'], 'default': 'present'},
            'comment': {'type': 'str'},
        },
    },
}


class ActionModule(ActionBase):
    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _dummy, settings = self.validate_argument_spec(ARGUMENT_SPEC)
        try:
            return {**result, **self.plan(settings, task_vars)}
        except MsrSafeError as error:
            raise AnsibleActionFail(str(error)) from None

    def plan(self, settings, task_vars):
        observed = self.observe(settings, task_vars, lists=False)
        if settings['state'] == 'absent':
            changes = plan_absent(observed)
            return {'changed': False, 'observed': observed, 'changes': changes, 'due': due_stages(changes)}
        wanted, warnings = COLLECTION.wanted(observed, settings)
        changes = plan_present(observed, wanted)
        if self._task.diff and 'approve' in due_stages(changes):
            changes = plan_present(self.observe(settings, task_vars, lists=True), wanted)
        return {
            'changed': False,
            'observed': observed,
            'changes': changes,
            'due': due_stages(changes),
            'approved_list': wanted['approved_list'],
            'artifact': wanted['artifact'],
            'warnings': warnings,
        }

    def observe(self, settings, task_vars, lists):
        answer = self._execute_module(
            module_name='hpc.msr_safe.msr_safe_info',
            module_args={'kernel_release': settings['kernel_release'], 'group': settings['group'], 'lists': lists},
            task_vars=task_vars,
        )
        if 'msr_safe' not in answer:
            raise AnsibleActionFail(answer.get('msg', 'The node could not be observed.'), result=answer)
        return answer['msr_safe']
