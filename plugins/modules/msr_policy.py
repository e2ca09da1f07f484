#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Make a node hold a policy."""

DOCUMENTATION = r"""
module: msr_policy
short_description: Make registers hold what a policy says
version_added: 2.0.0
description:
  - Compares registers with a policy, and writes those that differ. Reads back what it wrote.
  - Controls, such as O(policy[].control=turbo), mean the same on every CPU. Where a CPU has none, or the kernel's
    frequency driver owns it, the result says so in RV(notes), with what does it.
  - Everything is checked first, on the controller what can be, and on the node against the CPU's own limits. Where one
    statement is impossible, nothing is written at all.
  - What is written need not be on the approved list, which says what users may write.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes
options:
  policy:
    description:
      - The statements. Of two that are about the same bits, the later one that applies holds.
      - See U(https://github.com/hpc-msr-safe/hpc.msr_safe/blob/main/docs/policy.md).
    type: list
    elements: dict
    required: true
    suboptions:
      control:
        description: What is set, whatever the CPU. Either this or O(policy[].register).
        type: str
        choices:
          - package_power_limit
          - minimum_frequency
          - maximum_frequency
          - turbo
          - uncore_minimum_frequency
          - uncore_maximum_frequency
          - energy_preference
          - prefetchers
          - c1e
      register:
        description: The register, as a name (with or without C(IA32_) or C(MSR_)) or an address.
        type: str
      field:
        description: The field of the register.
        type: str
      value:
        description: An amount with its unit (V(205 W), V(2.4 GHz)), a percentage (V(80 %)), V(on), V(off), or a number.
        type: raw
        required: true
      mask:
        description: The bits of a register that are to be as in O(policy[].value), where no O(policy[].field) is given.
        type: str
      cpus:
        description: The CPUs, V(all) or a cpulist (V(0-3,8)).
        type: str
        default: all
      cpu_models:
        description: The CPUs that it is for, as names of lists (V(al_0655)). All by default.
        type: list
        elements: str
        default: []
      when:
        description: Conditions, as those of tasks; or a dictionary of variables and the values that they are to have.
        type: raw
  _definitions:
    description: Not for users. What our table says of the registers, sent by the action plugin.
    type: list
    elements: dict
    default: []
requirements:
  - Python 3.6 or later on the node
  - an msr-safe kernel module on the node, as the role P(hpc.msr_safe.msr_safe#role) provides it, or another one
notes:
  - Needs root (C(become)).
seealso:
  - module: hpc.msr_safe.msr
"""

EXAMPLES = r"""
- name: Limit each package to 205 watts, without turbo in one partition
  hpc.msr_safe.msr_policy:
    policy:
      - {control: package_power_limit, value: 205 W}
      - {control: turbo, value: "off", when: partition == 'tuning'}

- name: Four fifths of the thermal design power, and no prefetcher for the L2 cache
  hpc.msr_safe.msr_policy:
    policy:
      - {control: package_power_limit, value: 80 %}
      - {register: MISC_FEATURE_CONTROL, field: L2_HW_PREFETCHER_DISABLE, value: 1}
"""

RETURN = r"""
changes:
  description: The registers that were written, or would be in check mode, as M(hpc.msr_safe.msr) returns them.
  returned: always
  type: list
  elements: dict
problems:
  description: The registers that could not be set, with the CPUs and the reason.
  returned: always
  type: list
  elements: dict
notes:
  description: The statements that are not for this node, and what does it instead.
  returned: always
  type: list
  elements: str
  sample:
    - "policy, statement 1 (package_power_limit 205 W): this CPU has no such register; AMD power limits are not MSRs …"
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.access.write import render_problems, summarize_problems
from ..module_utils.errors import MsrSafeError
from ..module_utils.hardware.cpu import read_cpu
from ..module_utils.machine import Machine
from ..module_utils.policy.application import apply_policy
from ..module_utils.policy.statement import parse_policy
from ..module_utils.settings.definitions import known_registers
from ..module_utils.settings.setting import render_changes, summarize_changes


def main():
    module = AnsibleModule(
        argument_spec={
            'policy': {'type': 'list', 'elements': 'dict', 'required': True},
            '_definitions': {'type': 'list', 'elements': 'dict', 'default': []},
        },
        supports_check_mode=True,
    )
    machine, options = Machine(), module.params
    try:
        statements = parse_policy(options['policy'])
        registers = known_registers(machine, options['_definitions'], read_cpu(machine))
        plan, notes = apply_policy(machine, statements, registers, check=module.check_mode)
    except MsrSafeError as error:
        module.fail_json(msg=str(error), changes=[], problems=[], notes=[])
    rows = summarize_changes(plan)
    result = {
        'changed': bool(rows),
        'changes': rows,
        'problems': summarize_problems(plan.problems),
        'notes': notes,
        'diff': {
            'before_header': 'registers',
            'after_header': 'policy',
            'before': render_changes(rows, 'before'),
            'after': render_changes(rows, 'after'),
        },
    }
    if result['problems']:
        module.fail_json(msg='Not as the policy says:\n' + render_problems(result['problems']), **result)
    module.exit_json(**result)


if __name__ == '__main__':
    main()
