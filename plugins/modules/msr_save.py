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
  - Reads registers on all CPUs in one batch, by default every register that the active approved list lets be written.
  - Keeps them in a JSON file on the node, on the controller, or both.
  - The file is written whole or not at all. It is left alone where it holds the same already of what can be restored.
    Bits that the approved list does not let be written, such as a temperature, may differ; so may counters, status
    and governed registers, which change by themselves, unless O(registers) or O(kinds) asks for them.
  - Fails, after saving the rest, where a register could not be read. The snapshot says which, and why.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes
  - hpc.msr_safe.registers
  - hpc.msr_safe.registers.selection
options:
  path:
    description: The snapshot on the node. A file that is not a snapshot of this node is not overwritten.
    type: path
  controller_directory:
    description:
      - A directory on the controller, relative to the playbook, for the snapshots of all nodes.
      - Each node has a file named after its C(inventory_hostname) there, such as V(snapshots/n1.json).
    type: path
  kinds:
    description: Only registers of these kinds. The approved list says what a register is.
    type: list
    elements: str
    choices: [configuration, counter, status, governed]
    default: [configuration, counter, status, governed]
  read_only:
    description: Also save registers that cannot be written.
    type: bool
    default: false
  backup:
    description: How many earlier snapshots to keep beside O(path), as C(path.1) (the latest), C(path.2) and so on.
    type: int
    default: 0
  overwrite:
    description: Also overwrite a file that is not a snapshot, was edited, or is of another host.
    type: bool
    default: false
  _definitions:
    description:
      - Not for users. The names and kinds of the CPU's registers, for a node that has no list of the role, filled in
        on the controller.
    type: list
    elements: dict
seealso:
  - module: hpc.msr_safe.msr_restore
  - module: hpc.msr_safe.msr_info
"""

EXAMPLES = r"""
- name: Save all registers
  hpc.msr_safe.msr_save:
    path: /var/lib/msr-safe/snapshot.json

- name: Keep the last three snapshots, too
  hpc.msr_safe.msr_save:
    path: /var/lib/msr-safe/snapshot.json
    backup: 3

- name: Keep the snapshots of all nodes on the controller
  hpc.msr_safe.msr_save:
    controller_directory: snapshots

- name: Save the power limits only
  hpc.msr_safe.msr_save:
    path: /var/lib/msr-safe/power.json
    registers: [PKG_POWER_LIMIT, DRAM_POWER_LIMIT]
    cpus: one_per_die
"""

RETURN = r"""
path:
  description: The snapshot on the node.
  returned: when O(path) is given
  type: str
controller_path:
  description: The snapshot on the controller.
  returned: when O(controller_directory) is given
  type: str
  sample: /home/admin/site/snapshots/n1.json
backup_file:
  description: The snapshot that was replaced.
  returned: when one was kept, see O(backup)
  type: str
  sample: /var/lib/msr-safe/snapshot.json.1
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
  returned: always
  type: list
  elements: dict
  sample:
    - address: "0x00000620"
      name: MSR_UNCORE_RATIO_LIMIT
      error: "the processor faulted: it has no such register, or refuses the value"
      cpus: 0-63
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.access.lock import PATIENCE, locked
from ..module_utils.access.registers import slowness
from ..module_utils.access.write import render_problems
from ..module_utils.approved_lists.active import installed_list_path
from ..module_utils.approved_lists.approved_list import KINDS
from ..module_utils.errors import MsrSafeError
from ..module_utils.hardware.cpu import read_cpu
from ..module_utils.machine import Machine
from ..module_utils.settings.definitions import unpack
from ..module_utils.snapshots.save import backup_path, plan_save, save, take_snapshot
from ..module_utils.snapshots.selection import Selection
from ..module_utils.snapshots.snapshot import render_snapshot, require_place, summarize_unreadable


def main():
    module = AnsibleModule(
        argument_spec={
            'path': {'type': 'path'},
            'controller_directory': {'type': 'path'},
            'registers': {'type': 'list', 'elements': 'str', 'default': []},
            'cpus': {'type': 'str', 'default': 'all'},
            'kinds': {'type': 'list', 'elements': 'str', 'choices': list(KINDS), 'default': list(KINDS)},
            'read_only': {'type': 'bool', 'default': False},
            'backup': {'type': 'int', 'default': 0},
            'overwrite': {'type': 'bool', 'default': False},
            '_definitions': {'type': 'list', 'elements': 'dict'},
            'allow_partial': {'type': 'bool', 'default': False},
            'lock_timeout': {'type': 'float', 'default': PATIENCE},
        },
        required_one_of=[('path', 'controller_directory')],
        supports_check_mode=True,
    )
    machine = Machine()
    try:
        require_place(module.params['path'], module.params['controller_directory'])
        if module.params['_definitions'] is None and not machine.exists(installed_list_path(machine)):
            module.exit_json(changed=False, needs_definitions=read_cpu(machine))
        with locked(machine, 'msr_save', module.params['lock_timeout']):
            warning = slowness(machine)
            result = save_registers(machine, module.params, module.check_mode)
    except MsrSafeError as error:
        module.fail_json(msg=str(error), unreadable=[])
    if warning:
        module.warn(warning)
    if result['unreadable'] and not module.params['allow_partial']:
        module.fail_json(msg='Not readable:\n' + render_problems(result['unreadable']), **result)
    module.exit_json(**result)


def save_registers(machine, options, check_mode):
    """Take a snapshot, keep it on the node where that is wanted, and return the result."""
    selection = Selection(options['registers'], options['kinds'], options['cpus'], options['read_only'])
    registers = unpack(options['_definitions'] or [], read_cpu(machine))
    snapshot = take_snapshot(machine, selection, registers)
    result = {
        'changed': False,
        'registers': len(snapshot['registers']),
        'cpus': snapshot['cpus'],
        'unreadable': summarize_unreadable(snapshot),
    }
    if options['path']:
        result.update(save_on_node(machine, options, selection, snapshot, check_mode))
    if options['controller_directory']:
        result['snapshot'] = render_snapshot(snapshot)
    return result


def save_on_node(machine, options, selection, snapshot, check_mode):
    path, generations = options['path'], options['backup']
    before, after = plan_save(machine, path, snapshot, options['overwrite'], selection)
    if before != after and not check_mode:
        save(machine, path, after, generations)
    result = {
        'changed': before != after,
        'path': path,
        'diff': {'before_header': path, 'after_header': path, 'before': before or '', 'after': after},
    }
    if before and before != after and generations:
        result['backup_file'] = backup_path(path, 1)
    return result


if __name__ == '__main__':
    main()
