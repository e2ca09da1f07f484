#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Activate an approved list on a node."""

DOCUMENTATION = r"""
module: msr_approved_list
short_description: Make an approved list the active one on a node
version_added: 2.0.0
description:
  - Replaces the list of registers that users of the node may read and write, at once and whole.
  - A list with an error is refused with its line, and the one that was active stays active.
  - A list that would hand out the machine, or that is for another CPU, is refused with the reason.
  - With C(--check --diff) it says what would change, register by register, under the manuals' names.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes
requirements:
  - Python 3.6 or later on the node
  - an msr-safe kernel module on the node, as the role P(hpc.msr_safe.msr_safe#role) provides it, or another one
notes:
  - Needs root (C(become)).
options:
  state:
    description: V(present) activates the list that is given, V(absent) clears it, so that nothing is approved.
    type: str
    choices: [present, absent]
    default: present
  content:
    description: The text of the list. A line each register, address and write mask, and its name behind C(#).
    type: str
  src:
    description: A file on the node that holds the list.
    type: path
  persist:
    description: Also make it the list that is activated at boot, C(/etc/msr-safe/approved_list).
    type: bool
    default: true
  allow_unsafe:
    description: Addresses that may be on the list although they are dangerous.
    type: list
    elements: str
    default: []
  for_this_cpu_anyway:
    description:
      - Activate a list although its header, or most of its addresses, say that it is for another CPU.
      - Bits of it that this CPU does not have do whatever they do.
    type: bool
    default: false
    version_added: 2.0.0
"""

EXAMPLES = r"""
- name: Let users turn turbo off, and nothing else
  hpc.msr_safe.msr_approved_list:
    content: |
      0x000001A0 0x0000004000000000 # IA32_MISC_ENABLE

- name: Say what another list would change, without activating it
  hpc.msr_safe.msr_approved_list:
    src: /root/al_0655
  check_mode: true
  diff: true

- name: Activate another list until the next boot
  hpc.msr_safe.msr_approved_list:
    src: /etc/msr-safe/approved_list
    persist: false

- name: Let users do nothing
  hpc.msr_safe.msr_approved_list:
    state: absent
"""

RETURN = r"""
registers:
  description: How many registers the list approves.
  returned: success
  type: int
  sample: 321
sha256:
  description: Checksum over the list's addresses and masks.
  returned: success
  type: str
differences:
  description: The registers that this list treats differently from the one that was active, by address.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: The register's address.
      type: str
      sample: "0x000001A0"
    name:
      description: The manual's name of the register, or empty where neither the lists nor the CPU's table know it.
      type: str
      sample: IA32_MISC_ENABLE
    before:
      description: Its write mask in the list that was active, or none where it was not on that list.
      type: str
      sample: "0x0000000000000000"
    after:
      description: Its write mask in this list, or none where it is not on it.
      type: str
      sample: "0x0000004000000000"
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.approved_lists.activation import carry_out_activation, is_due, plan_activation
from ..module_utils.approved_lists.difference import describe_difference
from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine


def main():
    module = AnsibleModule(
        argument_spec={
            'state': {'choices': ['present', 'absent'], 'default': 'present'},
            'content': {'type': 'str'},
            'src': {'type': 'path'},
            'persist': {'type': 'bool', 'default': True},
            'allow_unsafe': {'type': 'list', 'elements': 'str', 'default': []},
            'for_this_cpu_anyway': {'type': 'bool', 'default': False},
        },
        mutually_exclusive=[('content', 'src')],
        required_if=[('state', 'present', ('content', 'src'), True)],
        supports_check_mode=True,
    )
    machine, options = Machine(), module.params
    content = '' if options['state'] == 'absent' else options['content']
    try:
        if options['state'] == 'present' and not (options['src'] or (content or '').strip()):
            raise MsrSafeError(
                'The list is empty.',
                'Does content, or src, come from a variable that is empty? To approve nothing: state: absent.',
            )
        activation = plan_activation(
            machine,
            content,
            options['src'],
            options['persist'],
            options['allow_unsafe'],
            options['for_this_cpu_anyway'],
        )
        notes = carry_out_activation(machine, activation) if is_due(activation) and not module.check_mode else []
    except MsrSafeError as error:
        module.fail_json(msg=str(error))
    for warning in activation.warnings + notes:
        module.warn(warning)
    module.exit_json(
        changed=is_due(activation),
        registers=len(activation.entries),
        sha256=activation.sha256,
        differences=[describe_difference(each) for each in activation.differences],
        diff={
            'before_header': 'approved list',
            'after_header': 'approved list',
            'before': activation.before,
            'after': activation.after,
        },
    )


if __name__ == '__main__':
    main()
