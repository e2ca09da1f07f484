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
  - Counters and status registers are left alone, unless O(kinds) names them.
  - The snapshot of another host with the same CPU model is restored, with a warning that names both.
  - Registers that the kernel itself rewrites while it manages frequencies (V(governed)) are written, and that they hold
    something else afterwards is no failure, but RV(overruled). What it changed since is written at the next run, too;
    O(kinds=configuration) leaves these registers to it.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes
  - hpc.msr_safe.registers
  - hpc.msr_safe.registers.selection
options:
  path:
    description: The snapshot on the node.
    type: path
  controller_directory:
    description: The directory of snapshots on the controller, see M(hpc.msr_safe.msr_save).
    type: path
  kinds:
    description: Only registers of these kinds.
    type: list
    elements: str
    choices: [configuration, counter, status, governed]
    default: [configuration, governed]
  accept:
    description:
      - What is refused otherwise.
      - V(other_cpu) restores the snapshot of another CPU model, V(edited_file) one that was changed after it was saved,
        V(narrower_list) one with bits that the active list no longer lets be written, as far as it lets.
    type: list
    elements: str
    choices: [other_cpu, edited_file, narrower_list]
    default: []
  _content:
    description: Not for users. The snapshot's text, filled in from O(controller_directory) on the controller.
    type: str
seealso:
  - module: hpc.msr_safe.msr_save
"""

EXAMPLES = r"""
- name: Bring all registers back
  hpc.msr_safe.msr_restore:
    path: /var/lib/msr-safe/snapshot.json

- name: Bring all registers back from the controller's copy
  hpc.msr_safe.msr_restore:
    controller_directory: snapshots

- name: Bring back the power limits only
  hpc.msr_safe.msr_restore:
    path: /var/lib/msr-safe/snapshot.json
    registers: [PKG_POWER_LIMIT, "0x1A0"]

- name: Bring back what can be, on nodes where a CPU may be offline
  hpc.msr_safe.msr_restore:
    path: /var/lib/msr-safe/snapshot.json
    allow_partial: true
"""

RETURN = r"""
summary:
  description: How many registers were compared on which CPUs; how many writes it took; how many could not be done.
  returned: success
  type: dict
  sample: {"registers": 270, "cpus": "0-63", "writes": 2, "problems": 0, "overruled": 0}
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
  sample: [{"address": "0x000001A0", "name": "IA32_MISC_ENABLE", "error": "CPU is offline", "cpus": "3"}]
overruled:
  description: The registers that hold something else, since the kernel rewrites them, with the CPUs and the driver.
  returned: success
  type: list
  elements: dict
  sample:
    - address: "0x00000199"
      name: IA32_PERF_CTL
      error: "intel_pstate owns it and rewrites it: use cpupower, or a policy (…)"
      cpus: 0-63
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.access.lock import PATIENCE, locked
from ..module_utils.access.registers import slowness
from ..module_utils.access.write import render_problems, render_values, summarize_problems, summarize_writes
from ..module_utils.approved_lists.approved_list import KINDS
from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine
from ..module_utils.snapshots.restore import (
    ACCEPTABLE,
    doubts,
    foresee,
    plan_restore,
    read_snapshot,
    restore,
    summarize,
)
from ..module_utils.snapshots.selection import Selection
from ..module_utils.snapshots.snapshot import parse_snapshot, require_place


def main():
    module = AnsibleModule(
        argument_spec={
            'path': {'type': 'path'},
            'controller_directory': {'type': 'path'},
            '_content': {'type': 'str', 'no_log': True},
            'registers': {'type': 'list', 'elements': 'str', 'default': []},
            'cpus': {'type': 'str', 'default': 'all'},
            'kinds': {
                'type': 'list',
                'elements': 'str',
                'choices': list(KINDS),
                'default': ['configuration', 'governed'],
            },
            'accept': {'type': 'list', 'elements': 'str', 'choices': list(ACCEPTABLE), 'default': []},
            'allow_partial': {'type': 'bool', 'default': False},
            'lock_timeout': {'type': 'float', 'default': PATIENCE},
        },
        required_one_of=[('path', 'controller_directory')],
        mutually_exclusive=[('path', 'controller_directory')],
        required_by={'controller_directory': ['_content']},
        supports_check_mode=True,
    )
    machine = Machine()
    try:
        require_place(module.params['path'], module.params['controller_directory'])
        with locked(machine, 'msr_restore', module.params['lock_timeout']):
            slow = slowness(machine)
            restored, warnings = restore_registers(machine, module.params, module.check_mode)
    except MsrSafeError as error:
        module.fail_json(msg=str(error), restored=[], problems=[])
    for warning in ([slow] if slow else []) + warnings:
        module.warn(warning)
    result = {
        'changed': bool(restored.writes),
        'summary': summarize(restored),
        'restored': summarize_writes(restored.writes),
        'problems': summarize_problems(restored.problems),
        'overruled': summarize_problems(restored.overruled),
        'diff': {
            'before_header': 'registers',
            'after_header': module.params['path'] or module.params['controller_directory'],
            'before': render_values(restored.writes, 'before'),
            'after': render_values(restored.writes, 'after'),
        },
    }
    if result['problems'] and not module.params['allow_partial']:
        module.fail_json(msg='Not restored:\n' + render_problems(result['problems']), **result)
    module.exit_json(**result)


def restore_registers(machine, options, check_mode):
    """Plan, carry out unless in check mode, and return (what there is to say of it, warnings)."""
    if options['path']:
        snapshot = read_snapshot(machine, options['path'], options['accept'])
    else:
        where = 'The snapshot from %s on the controller' % options['controller_directory']
        snapshot = parse_snapshot(options['_content'], where, 'edited_file' in options['accept'])
    selection = Selection(options['registers'], options['kinds'], options['cpus'], read_only=False)
    restored = plan_restore(machine, snapshot, options['accept'], selection)
    restored = foresee(machine, restored) if check_mode else restore(machine, restored)
    return restored, doubts(machine, snapshot)


if __name__ == '__main__':
    main()
