#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Save a node's registers."""

DOCUMENTATION = r"""
module: msr_save
short_description: Save the registers of a node to a snapshot
version_added: 2.0.0
description:
  - Reads every writable register of the active approved list on every online CPU, in one batch.
  - Keeps them in a JSON file on the node.
  - The file is written whole or not at all. It is left alone where it holds the same values already.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes
  - hpc.msr_safe.attributes.registers
options:
  path:
    description: The snapshot on the node. A file that is not a snapshot is not overwritten.
    type: path
    required: true
seealso:
  - module: hpc.msr_safe.msr_restore
"""

EXAMPLES = r"""
- name: Save all registers
  hpc.msr_safe.msr_save:
    path: /var/lib/msr-safe/snapshot.json
"""

RETURN = r"""
path:
  description: The snapshot on the node.
  returned: success
  type: str
registers:
  description: How many registers were read on each CPU.
  returned: success
  type: int
  sample: 270
cpus:
  description: The CPUs they were read on.
  returned: success
  type: str
  sample: 0-63
unreadable:
  description: Registers that could not be read, with the CPUs and the error.
  returned: success
  type: list
  elements: dict
  sample: [{"address": "0x00000620", "name": "MSR_UNCORE_RATIO_LIMIT", "error": "Input/output error", "cpus": "0-63"}]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine
from ..module_utils.save import plan_save, save, take_snapshot
from ..module_utils.snapshot import summarize_unreadable


def main():
    module = AnsibleModule(argument_spec={'path': {'type': 'path', 'required': True}}, supports_check_mode=True)
    machine, path = Machine(), module.params['path']
    try:
        snapshot = take_snapshot(machine)
        before, after = plan_save(machine, path, snapshot)
        if before != after and not module.check_mode:
            save(machine, path, after)
    except MsrSafeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=before != after,
        path=path,
        registers=len(snapshot['registers']),
        cpus=snapshot['cpu']['online'],
        unreadable=summarize_unreadable(snapshot),
        diff={'before_header': path, 'after_header': path, 'before': before or '', 'after': after},
    )


if __name__ == '__main__':
    main()
