#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Restore a node's registers."""

DOCUMENTATION = r"""
module: msr_restore
short_description: Restore the registers of a node from a snapshot
version_added: 2.0.0
description:
  - Compares the registers with a snapshot, and writes back those that differ, in one batch.
  - Reads back what it wrote. What could not be restored is named with its CPUs, and the module fails after the rest.
  - Counters and status registers are left alone, unless O(volatile=true).
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes
  - hpc.msr_safe.attributes.registers
options:
  path:
    description: The snapshot on the node.
    type: path
    required: true
  accept:
    description:
      - What is refused otherwise.
      - V(other_cpu) restores the snapshot of another CPU model, V(edited_file) one that was changed after it was saved,
        V(narrower_list) one with bits that the active list no longer lets be written, as far as it lets.
    type: list
    elements: str
    choices: [other_cpu, edited_file, narrower_list]
    default: []
  volatile:
    description: Also write back counters and status registers.
    type: bool
    default: false
seealso:
  - module: hpc.msr_safe.msr_save
"""

EXAMPLES = r"""
- name: Bring all registers back
  hpc.msr_safe.msr_restore:
    path: /var/lib/msr-safe/snapshot.json
"""

RETURN = r"""
restored:
  description: The registers that were written, or would be in check mode, with the CPUs.
  returned: always
  type: list
  elements: dict
  sample:
    - address: "0x000001A0"
      name: IA32_MISC_ENABLE
      before: "0x0000004000000001"
      after: "0x0000000000000001"
      cpus: 0-1
problems:
  description: The registers that could not be restored, with the CPUs and the reason.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine
from ..module_utils.restore import (
    ACCEPTABLE,
    carried_out,
    plan_restore,
    read_snapshot,
    render_problems,
    render_values,
    restore,
    summarize_problems,
    summarize_writes,
)


def main():
    module = AnsibleModule(
        argument_spec={
            'path': {'type': 'path', 'required': True},
            'volatile': {'type': 'bool', 'default': False},
            'accept': {'type': 'list', 'elements': 'str', 'choices': list(ACCEPTABLE), 'default': []},
        },
        supports_check_mode=True,
    )
    machine, path, accept = Machine(), module.params['path'], module.params['accept']
    try:
        snapshot = read_snapshot(machine, path, accept)
        writes, problems = plan_restore(machine, snapshot, accept, module.params['volatile'])
        if writes and not module.check_mode:
            problems = problems + restore(machine, writes)
            writes = carried_out(writes, problems)
    except MsrSafeError as error:
        module.fail_json(msg=str(error), restored=[], problems=[])
    result = {
        'changed': bool(writes),
        'restored': summarize_writes(writes),
        'problems': summarize_problems(problems),
        'diff': {
            'before_header': 'registers',
            'after_header': path,
            'before': render_values(writes, 'before'),
            'after': render_values(writes, 'after'),
        },
    }
    if problems:
        module.fail_json(msg='Not restored:\n' + render_problems(problems), **result)
    module.exit_json(**result)


if __name__ == '__main__':
    main()
