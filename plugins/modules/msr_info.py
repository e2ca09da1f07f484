#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Read a node's registers."""

DOCUMENTATION = r"""
module: msr_info
short_description: Read registers by name, with their fields in watts, hertz, seconds and degrees
version_added: 2.0.0
description:
  - Reads registers on CPUs in one batch, and says what their fields mean, in the CPU's own units.
  - CPUs that hold the same value are put together, so the result of a large node is as readable as that of a small one.
  - Where a register cannot be read on some CPUs, the result says so under C(errors). That is not a failure.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes.info
options:
  registers:
    description: Names (with or without C(IA32_) or C(MSR_)) or addresses of registers on the active approved list.
    type: list
    elements: str
    required: true
  cpus:
    description:
      - The CPUs, as a cpulist (V(0-3,8)), or a word.
      - V(all) are those that are online, V(one_per_package), V(one_per_die) and V(one_per_core) the first one of each.
    type: str
    default: all
  _definitions:
    description: Not for users. What our table says of O(registers), filled in on the controller.
    type: list
    elements: dict
    default: []
requirements:
  - Python 3.6 or later on the node
  - an msr-safe kernel module on the node, as the role P(hpc.msr_safe.msr_safe#role) provides it, or another one
notes:
  - Needs root (C(become)), or a user who may open C(/dev/cpu/msr_batch).
seealso:
  - module: hpc.msr_safe.msr
"""

EXAMPLES = r"""
- name: Read the power limits of each package, or of each die where those have their own
  hpc.msr_safe.msr_info:
    registers: [PKG_POWER_LIMIT, DRAM_POWER_LIMIT]
    cpus: one_per_die
  register: power

- name: Say what the first package may take
  ansible.builtin.debug:
    msg: "{{ power.registers.PKG_POWER_LIMIT.readings[0].fields.PL1_POWER_LIMIT.value }} watts"

- name: Read a register that has no name
  hpc.msr_safe.msr_info:
    registers: ["0x1A0"]
    cpus: 0-3
"""

RETURN = r"""
registers:
  description: What each register holds, under the names and addresses that were given.
  returned: success
  type: dict
  contains:
    name:
      description: The manual's name; empty where we do not know the register.
      type: str
    address:
      description: The address.
      type: str
    kind:
      description: V(configuration), V(counter), V(status) or V(governed).
      type: str
    scope:
      description: What has one such register - V(cpu), V(core), V(die), V(package) or V(board); empty if unknown.
      type: str
    readings:
      description:
        - The values, each with the CPUs that hold it, and its fields.
        - A field has its C(raw) number, and its C(value) in C(unit), as M(hpc.msr_safe.msr) takes them.
        - C(value) is null where the register that tells the CPU's units could not be read.
      type: list
      elements: dict
    errors:
      description: Why the register could not be read, with the CPUs where that is so.
      type: dict
  sample:
    PKG_POWER_LIMIT:
      name: MSR_PKG_POWER_LIMIT
      address: "0x00000610"
      kind: configuration
      scope: die
      readings:
        - value: "0x00158528001b84b0"
          cpus: 0-63
          fields: {"PL1_POWER_LIMIT": {"raw": 1200, "value": 150.0, "unit": "watts"}}
      errors: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.access.registers import slowness
from ..module_utils.errors import MsrSafeError
from ..module_utils.hardware.cpu import read_cpu, select_cpus
from ..module_utils.machine import Machine
from ..module_utils.settings.definitions import known_registers
from ..module_utils.settings.interpretation import interpret_registers


def main():
    module = AnsibleModule(
        argument_spec={
            'registers': {'type': 'list', 'elements': 'str', 'required': True},
            'cpus': {'type': 'str', 'default': 'all'},
            '_definitions': {'type': 'list', 'elements': 'dict', 'default': []},
        },
        supports_check_mode=True,
    )
    machine, options = Machine(), module.params
    try:
        warning = slowness(machine)
        registers = known_registers(machine, options['_definitions'], read_cpu(machine))
        cpus = select_cpus(machine, options['cpus'])
        result = interpret_registers(machine, options['registers'], cpus, registers)
    except MsrSafeError as error:
        module.fail_json(msg=str(error))
    if warning:
        module.warn(warning)
    module.exit_json(changed=False, registers=result)


if __name__ == '__main__':
    main()
