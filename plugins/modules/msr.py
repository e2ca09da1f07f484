#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Set a node's registers."""

DOCUMENTATION = r"""
module: msr
short_description: Make registers, or fields of them, hold a value
version_added: 2.0.0
description:
  - Compares registers with what they are to hold, and writes those that differ, where they do, in one batch.
  - Reads back what it wrote. What could not be set is named with its CPUs, and the module fails after the rest.
  - Everything is checked first. Where one setting is impossible, such as a value that does not fit its field or a field
    that the active approved list does not let be written, nothing is written at all.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes
  - hpc.msr_safe.registers
options:
  register:
    description: The register, as a name (with or without C(IA32_) or C(MSR_)) or an address.
    type: str
  field:
    description: The field of the register. The rest of the register stays as it is.
    type: str
  value:
    description:
      - What the field holds in O(unit), or its number. A field of one bit takes V(true) and V(false), too.
      - Without O(field), the value of the register, in hexadecimal or decimal.
    type: str
  unit:
    description:
      - The unit of O(value). A field that has a unit needs one, and takes the nearest value that it can hold.
      - V(raw) is the bare number.
    type: str
    choices: [watts, milliwatts, joules, seconds, milliseconds, hertz, kilohertz, megahertz, gigahertz, celsius, raw]
  mask:
    description: The bits of the register that are to be as in O(value), where no O(field) is given. All by default.
    type: str
  cpus:
    description:
      - The CPUs, as a cpulist (V(0-3,8)), or a word.
      - V(all) are those that are online, V(one_per_package), V(one_per_die) and V(one_per_core) the first one of each.
    type: str
    default: all
  settings:
    description: Several settings at once, instead of O(register). They may not contradict each other.
    type: list
    elements: dict
    suboptions:
      register:
        description: As O(register).
        type: str
        required: true
      field:
        description: As O(field).
        type: str
      value:
        description: As O(value).
        type: str
        required: true
      unit:
        description: As O(unit).
        type: str
        choices:
          [watts, milliwatts, joules, seconds, milliseconds, hertz, kilohertz, megahertz, gigahertz, celsius, raw]
      mask:
        description: As O(mask).
        type: str
      cpus:
        description: As O(cpus), which is the default.
        type: str
  _definitions:
    description: Not for users. What our table says of the registers, filled in on the controller.
    type: list
    elements: dict
    default: []
seealso:
  - module: hpc.msr_safe.msr_info
  - module: hpc.msr_safe.msr_restore
"""

EXAMPLES = r"""
- name: Limit each package to 150 watts
  hpc.msr_safe.msr:
    register: PKG_POWER_LIMIT
    field: PL1_POWER_LIMIT
    value: 150
    unit: watts

- name: Turn the hardware prefetchers off on four CPUs
  hpc.msr_safe.msr:
    register: MSR_MISC_FEATURE_CONTROL
    value: "0xF"
    mask: "0xF"
    cpus: 0-3

- name: Limit power over a window, both at once
  hpc.msr_safe.msr:
    settings:
      - {register: PKG_POWER_LIMIT, field: PL1_POWER_LIMIT, value: 150, unit: watts}
      - {register: PKG_POWER_LIMIT, field: PL1_TIME_WINDOW, value: 1, unit: seconds}
      - {register: PKG_POWER_LIMIT, field: PL1_LIMIT_ENABLE, value: true}
"""

RETURN = r"""
changes:
  description: The registers that were written, or would be in check mode, with the CPUs and the fields that changed.
  returned: always
  type: list
  elements: dict
  sample:
    - address: "0x00000610"
      name: MSR_PKG_POWER_LIMIT
      before: "0x00158528001b84b0"
      after: "0x00158528001b8640"
      cpus: 0-63
      fields: {"PL1_POWER_LIMIT": {"before": 150.0, "after": 200.0, "unit": "watts"}}
problems:
  description: The registers that could not be set, with the CPUs and the reason.
  returned: always
  type: list
  elements: dict
  sample:
    - address: "0x00000610"
      name: MSR_PKG_POWER_LIMIT
      error: "the register did not take the value: it holds 0x00158528001b84b0"
      cpus: 0-63
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.access.lock import PATIENCE, locked
from ..module_utils.access.registers import slowness
from ..module_utils.access.write import (
    carried_out,
    carry_out_writes,
    foresee_problems,
    render_problems,
    summarize_problems,
)
from ..module_utils.errors import MsrSafeError
from ..module_utils.hardware.cpu import read_cpu
from ..module_utils.machine import Machine
from ..module_utils.registers.units import WORDS
from ..module_utils.settings.definitions import known_registers
from ..module_utils.settings.setting import name_owner, plan_settings, render_changes, summarize_changes

SETTING = {
    'register': {'type': 'str'},
    'field': {'type': 'str'},
    'value': {'type': 'str'},
    'unit': {'type': 'str', 'choices': [*list(WORDS), 'raw']},
    'mask': {'type': 'str'},
    'cpus': {'type': 'str'},
}


def main():
    module = AnsibleModule(
        argument_spec=dict(
            SETTING,
            cpus={'type': 'str', 'default': 'all'},
            settings={
                'type': 'list',
                'elements': 'dict',
                'options': dict(
                    SETTING, register={'type': 'str', 'required': True}, value={'type': 'str', 'required': True}
                ),
            },
            _definitions={'type': 'list', 'elements': 'dict', 'default': []},
            allow_partial={'type': 'bool', 'default': False},
            lock_timeout={'type': 'float', 'default': PATIENCE},
        ),
        required_one_of=[('register', 'settings')],
        mutually_exclusive=[('register', 'settings')],
        required_together=[('register', 'value')],
        supports_check_mode=True,
    )
    machine = Machine()
    try:
        with locked(machine, 'msr', module.params['lock_timeout']):
            warning = slowness(machine)
            plan = set_registers(machine, module.params, module.check_mode)
    except MsrSafeError as error:
        module.fail_json(msg=str(error), changes=[], problems=[])
    if warning:
        module.warn(warning)
    rows = summarize_changes(plan)
    result = {
        'changed': bool(rows),
        'changes': rows,
        'problems': summarize_problems(plan.problems),
        'diff': {
            'before_header': 'registers',
            'after_header': 'registers',
            'before': render_changes(rows, 'before'),
            'after': render_changes(rows, 'after'),
        },
    }
    if result['problems'] and not module.params['allow_partial']:
        module.fail_json(msg='Not set:\n' + render_problems(result['problems']), **result)
    module.exit_json(**result)


def set_registers(machine, options, check_mode):
    """Plan, carry out unless in check mode, and return the plan with what was written and every problem met."""
    registers = known_registers(machine, options['_definitions'], read_cpu(machine))
    given = [options] if options['settings'] is None else options['settings']
    settings = [dict(each, cpus=options['cpus'] if each['cpus'] is None else each['cpus']) for each in given]
    plan = plan_settings(machine, settings, registers)
    met = (foresee_problems if check_mode else carry_out_writes)(machine, plan.writes)
    problems = plan.problems + name_owner(machine, plan, met)
    return plan._replace(writes=carried_out(plan.writes, problems), problems=problems)


if __name__ == '__main__':
    main()
