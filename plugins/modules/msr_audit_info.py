#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Observe what an audit compares."""

DOCUMENTATION = r"""
module: msr_audit_info
short_description: Observe on a node what an audit compares
version_added: 2.0.0
description:
  - Collects processor, kernel, firmware, kernel module, approved list, and what the registers hold, in one batch.
  - Registers are those of the list in force, and those of the policy, on the list or not.
  - Registers that change by nature stay out, such as counters, status and those that count events.
  - Works with any msr-safe on the node, and without one.
  - What many nodes return is compared by M(hpc.msr_safe.msr_audit), as the playbook C(hpc.msr_safe.audit) does.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes.info
options:
  equal:
    description: What else is the same on nodes that should be equal, such as C({"partition":"batch"}).
    type: dict
    default: {}
  policy:
    description:
      - What registers are to hold, statements as of M(hpc.msr_safe.msr_policy).
      - Those that are for the node are returned, for the comparison. The node itself is not told.
    type: list
    elements: dict
    default: []
  _definitions:
    description: Not for users. What our table says of the registers of the policy, sent by the action plugin.
    type: list
    elements: dict
    default: []
requirements:
  - Python 3.6 or later on the node
notes:
  - Needs root (C(become)).
seealso:
  - module: hpc.msr_safe.msr_audit
"""

EXAMPLES = r"""
- name: Observe what is compared
  hpc.msr_safe.msr_audit_info:
    equal: {partition: "{{ partition | default('batch') }}"}
  register: msr_audit_observed
"""

RETURN = r"""
observation:
  description: What was observed.
  returned: success
  type: dict
  contains:
    cpu:
      description: The processor, as M(hpc.msr_safe.msr_safe_info) returns it.
      type: dict
    packages:
      description: The CPUs of each package, a cpulist each.
      type: list
      elements: str
    kernel:
      description: The release of the running kernel.
      type: str
    bios:
      description: Vendor, version and date of the firmware.
      type: str
    product:
      description: Vendor and name of the machine.
      type: str
    cpufreq:
      description: The kernel's frequency driver; empty where there is none.
      type: str
    governor:
      description: Its governor.
      type: str
    stock_driver:
      description: Whether only the kernel's own msr driver is there.
      type: bool
    module:
      description: The msr-safe in the kernel, and whether it is the one that the role installed. Null without one.
      type: dict
      sample: {"version": "2.0.0", "ours": true}
    approved_list:
      description: The list in force, and whether it is that of C(/etc/msr-safe/approved_list). Null without a module.
      type: dict
      sample: {"sha256": "9f31…", "registers": 98, "writable": 41, "installed": true}
    policy:
      description: The checksum of the policy that is applied at boot; null without one.
      type: str
    deferred:
      description: What the role could not do yet, why, and since when, as M(hpc.msr_safe.msr_safe_info) returns it.
      type: list
      elements: dict
    registers:
      description: Of each register the values, with the CPUs that hold them, and the errors, with theirs.
      type: dict
      sample: {"0x000001A0": [{"0x0000000000850089": "0-63"}, {}]}
equal:
  description: As given in O(equal).
  returned: success
  type: dict
policy:
  description: The statements of O(policy) that are for this node.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.audit.observation import observe_for_audit
from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine


def main():
    module = AnsibleModule(
        argument_spec={
            'equal': {'type': 'dict', 'default': {}},
            # Stays on the controller, with the action plugin
            'policy': {'type': 'list', 'elements': 'dict', 'default': []},
            '_definitions': {'type': 'list', 'elements': 'dict', 'default': []},
        },
        supports_check_mode=True,
    )
    try:
        observation = observe_for_audit(Machine(), module.params['_definitions'])
    except MsrSafeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, observation=observation, equal=module.params['equal'])


if __name__ == '__main__':
    main()
