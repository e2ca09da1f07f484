#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Carry out changes that msr_safe_plan planned."""

DOCUMENTATION = r"""
module: msr_safe_apply
short_description: Carry out changes that msr_safe_plan planned
version_added: 2.0.0
description:
  - Carries out the changes of one or all stages on the node, in order, and stops at the first that fails.
  - In check mode, and to show the diff, nothing is sent to the node, since the plan says it all.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes
options:
  changes:
    description: Changes as RV(hpc.msr_safe.msr_safe_plan#module:changes) gives them.
    type: list
    elements: dict
    required: true
  stages:
    description: Carry out only the changes of these stages.
    type: list
    elements: str
  archive:
    description: Set by the action plugin, which sends the file that a change needs.
    type: path
attributes:
  idempotent:
    description: The plan is. Carrying out the same changes twice does them twice.
    support: partial
seealso:
  - module: hpc.msr_safe.msr_safe_plan
"""

EXAMPLES = r"""
- name: Plan
  hpc.msr_safe.msr_safe_plan:
  register: plan

- name: Carry out everything that is due
  hpc.msr_safe.msr_safe_apply:
    changes: "{{ plan.changes }}"
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode, a line each.
  returned: success
  type: list
  elements: str
  sample: ["load msr_safe"]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine
from ..module_utils.provisioning.change import carry_out_change


def main():
    module = AnsibleModule(
        argument_spec={
            'changes': {'type': 'list', 'elements': 'dict', 'required': True},
            'stages': {'type': 'list', 'elements': 'str'},
            'archive': {'type': 'path'},
        },
        supports_check_mode=True,
    )
    done = []
    for change in module.params['changes']:
        try:
            if not module.check_mode:
                carry_out_change(Machine(), change, module.params['archive'])
        except MsrSafeError as error:
            module.fail_json(msg=str(error), done=done, failed_change=change['title'], changed=bool(done))
        done.append(change['title'])
    module.exit_json(changed=bool(done), done=done)


if __name__ == '__main__':
    main()
