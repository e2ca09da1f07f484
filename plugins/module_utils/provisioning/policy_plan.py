# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan of the policy: that registers hold it, and the boot keeps it."""

from ..errors import MsrSafeError
from ..layout import POLICY
from ..policy.policy_file import describe_policy, policy_text
from . import actions
from .change import build_change, defer, is_deferred
from .file_plan import plan_file
from .kernel import is_running


def plan_policy(observed, policy, before):
    """Plan to make registers hold a policy, and the boot keep it. before: the changes that go before."""
    if policy is None:
        if observed['files'][POLICY] is None:
            return []
        text = observed['files'][POLICY] + '\n'
        return [build_change('policy', actions.remove_path, 'remove ' + POLICY, text, None, path=POLICY)]
    changes = plan_file(observed, 'policy', POLICY, policy_text(policy['statements']))
    if not is_running(observed):
        return changes
    # What registers hold cannot be read before the module is there; another one reads only what is on a list
    is_seen = not {'load', 'approve'} & {change['stage'] for change in before}
    held = observed['policy']
    if held['problem'] and is_seen:
        raise MsrSafeError(held['problem'], 'Correct msr_safe_policy, or what the node is.')
    if held['before'] == held['after'] and not held['problem']:
        return changes
    what = (held['before'], held['after'])
    change = build_change(
        'policy',
        actions.apply_policy,
        'make registers hold the policy',
        *(what if not held['problem'] else (None, describe_policy(policy['statements']))),
        policy=policy,
    )
    waits = [each['deferred'] for each in before if each['stage'] == 'load' and is_deferred(each)]
    return [*changes, defer(change, waits[0]) if waits and held['problem'] else change]
