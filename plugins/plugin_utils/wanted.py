# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What is wanted of a node: the options of msr_safe_plan, and the plan that they and an observation make."""

from __future__ import annotations

import functools

import yaml
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils.provisioning.change import due_stages
from ..module_utils.provisioning.collection import COLLECTION
from ..module_utils.provisioning.plan import plan_absent, plan_present
from ..modules import msr_safe_plan

# Of what documentation says of an option, what an argument spec says, too
SPECIFIED = ('type', 'elements', 'choices', 'default', 'required')


@functools.lru_cache(maxsize=None)
def argument_spec():
    """Return the argument spec of msr_safe_plan: its documentation states it, nothing else does."""
    return specified(yaml.safe_load(msr_safe_plan.DOCUMENTATION)['options'])


def specified(options):
    """Return documented options as an argument spec, with the defaults of their suboptions."""
    spec = {}
    for name, option in options.items():
        spec[name] = {key: option[key] for key in SPECIFIED if key in option}
        if 'suboptions' in option:
            spec[name]['options'] = specified(option['suboptions'])
            spec[name]['apply_defaults'] = option['type'] == 'dict'
    return spec


def wanted_settings(options):
    """Return the options of msr_safe_plan as its settings, checked and complete. Raises AnsibleActionFail."""
    result = ArgumentSpecValidator(argument_spec()).validate(options)
    if result.error_messages:
        raise AnsibleActionFail('\n'.join(result.error_messages))
    return result.validated_parameters


def plan(observed, settings):
    """Return (changes, the wanted state or None, warnings) for an observed node. Raises MsrSafeError."""
    if settings['state'] == 'absent':
        return plan_absent(observed), None, []
    wanted, warnings = COLLECTION.wanted(observed, settings)
    changes = plan_present(observed, wanted)
    if 'approve' in due_stages(changes):
        warnings += COLLECTION.watchdog_warnings(observed, wanted)
    return changes, wanted, warnings
