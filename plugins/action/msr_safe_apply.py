# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Carry out planned changes: in check mode from the plan alone, otherwise on the node with the files they need."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..module_utils.errors import MsrSafeError
from ..module_utils.provisioning.change import deferrals, describe_change, describe_deferrals, due, due_stages
from ..module_utils.provisioning.collection import COLLECTION
from ..module_utils.provisioning.group_at_boot import describe_group
from ..module_utils.provisioning.tree import pack_tree
from ..plugin_utils.failure import ActionFailure
from ..plugin_utils.policy import wanted_policy
from ..plugin_utils.sending import send
from ..plugin_utils.wanted import observation_options, plan, wanted_settings

UNKNOWN_CAUSE = (
    'Another program on the node undoes what the role does, after it did it: '
    'no file of others is known here that would.'
)


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
                'waiting': {'type': 'list', 'elements': 'dict'},
                'remembers': {'type': 'bool', 'default': True},
                'role': {'type': 'str', 'choices': ['msr_safe', 'slurm'], 'default': 'msr_safe'},
                'verify': {'type': 'dict'},
                'root': {'type': 'path'},
            }
        )
        stages, verify = arguments['stages'], arguments['verify']
        changes = [change for change in arguments['changes'] if stages is None or change['stage'] in stages]
        if self._task.check_mode or (not changes and arguments['remembers']):
            result.update(
                changed=bool(changes),
                done=[describe_change(change) for change in changes],
                deferred=describe_deferrals(arguments['waiting'] or []),
            )
        else:
            try:
                settings = verify and wanted_settings(verify, self._loader)
                if settings:
                    settings['policy'] = wanted_policy(self, settings['policy'], task_vars)
                root = settings['root'] if settings else arguments['root']
                settings = settings if changes else None
                memory = {name: arguments[name] for name in ('waiting', 'role')}
                result.update(self.carry_out(changes, memory, stages, settings, root, task_vars))
            except MsrSafeError as error:
                raise ActionFailure(str(error)) from None
        # What was done is for people to read, not only with -v
        result['_ansible_verbose_always'] = True
        if self._task.diff:
            result['diff'] = [diff for diff in map(difference, changes) if diff]
        return result

    def carry_out(self, changes, memory, stages, settings, root, task_vars):
        """Carry out changes in one execution on the node; with settings, see that nothing is left to do in stages.

        memory: ``{'waiting': what the node is to remember, or None, 'role': whose}``.
        """
        payloads = COLLECTION.payloads(changes)
        result = self._execute_module(
            module_name='hpc.msr_safe.msr_safe_apply',
            module_args={
                **memory,
                'changes': changes,
                'root': root,
                'verify': observation_options(settings) if settings else None,
                '_payloads': send(self, pack_tree(payloads)) if payloads else None,
            },
            task_vars=task_vars,
        )
        observed = result.pop('observed', None)
        if observed:
            result['deferred'] = require_nothing_left(observed, stages, settings)
        return result


def require_nothing_left(observed, stages, settings):
    """Return what is deferred. Raises MsrSafeError where a node, observed after all changes, is not as wanted else.

    stages: those that were to be carried out; None for all.
    """
    changes, _wanted, _warnings = plan(observed, settings)
    left = [change for change in due(changes) if stages is None or change['stage'] in stages]
    if left:
        known = (
            describe_group(settings['group'], observed['group_at_boot']) if 'permissions' in due_stages(left) else []
        )
        raise MsrSafeError(
            'The node is not as wanted. Still to do: %s.' % '; '.join(map(describe_change, left)),
            ''.join(known) or UNKNOWN_CAUSE,
        )
    return describe_deferrals(deferrals(changes))


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
