#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Build the kernel module on a builder."""

DOCUMENTATION = r"""
module: msr_safe_build
short_description: Build the kernel module on a builder, and keep it on the controller
version_added: 2.0.0
description:
  - Not for users but for the role P(hpc.msr_safe.msr_safe#role), which delegates it to C(msr_safe_builder).
  - Builds for the kernel of a node, once in a run for each kernel. Whichever node comes first has it built, whatever
    the strategy; all that wait for the same module get the same result, or the same error.
  - In check mode it says what it would install and build, and where.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes
options:
  changes:
    description: Changes as RV(hpc.msr_safe.msr_safe_plan#module:changes) gives them. Those that build are carried out.
    type: list
    elements: dict
  _change:
    description: Not for users. One of the changes, sent by the action plugin.
    type: dict
  install_packages:
    description: Whether to install the distribution's kernel headers, gcc and make where they are missing.
    type: bool
    default: true
  _payloads:
    description: Not for users. A zip archive of the files that building needs, sent by the action plugin.
    type: path
attributes:
  idempotent:
    description: The plan is. Building the same changes twice builds them twice, unless the builder has kept the module.
    support: partial
  diff_mode:
    description: What is built has no text.
    support: none
seealso:
  - module: hpc.msr_safe.msr_safe_plan
  - module: hpc.msr_safe.msr_safe_apply
"""

EXAMPLES = r"""
- name: Plan
  hpc.msr_safe.msr_safe_plan:
    artifacts: /srv/msr-safe/modules
  register: plan

- name: Build where the headers are
  hpc.msr_safe.msr_safe_build:
    changes: "{{ plan.changes }}"
  delegate_to: builder.example.org
  when: "'build' in plan.due"
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode, a line each, and on which host.
  returned: always
  type: list
  elements: str
  sample: ["build: build msr-safe 2.0.0 for kernel 6.1.0-18-amd64, on localhost"]
"""

import base64

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import MsrSafeError
from ..module_utils.hardware.module_file import examine_module_file
from ..module_utils.machine import Machine
from ..module_utils.provisioning.actions import is_built
from ..module_utils.provisioning.change import carry_out_change, describe_change, payload_of
from ..module_utils.provisioning.packages import observe_build
from ..module_utils.provisioning.packages_plan import plan_tools
from ..module_utils.provisioning.tree import read_packed


def main():
    module = AnsibleModule(
        argument_spec={
            'changes': {'type': 'list', 'elements': 'dict'},
            '_change': {'type': 'dict'},
            'install_packages': {'type': 'bool', 'default': True},
            '_payloads': {'type': 'path'},
        },
        supports_check_mode=True,
    )
    done = []
    try:
        built = build(module.params, module.check_mode, done)
    except MsrSafeError as error:
        module.fail_json(msg=str(error), done=done, changed=bool(done))
    module.exit_json(changed=bool(done), done=done, module=built and base64.b64encode(built).decode('ascii'))


def build(options, is_check, done):
    """Carry out what building takes, adding to ``done``; return the module's bytes, or None. Raises MsrSafeError."""
    machine, change = Machine(), options['_change']
    source = read_packed(options['_payloads'])['source']
    for each in [*missing_tools(machine, change, options['install_packages']), change]:
        if not is_check:
            carry_out_change(machine, each, source if payload_of(each) else None)
        done.append(describe_change(each))
    return None if is_check else machine.read(change['path'])


def missing_tools(machine, change, installs):
    """Return the changes that give a builder what it lacks; none where the module is there from another time."""
    if is_built(examine_module_file(machine, change['path']), change):
        return []
    return plan_tools(observe_build(machine, change['kernel_release']), change['kernel_release'], installs)


if __name__ == '__main__':
    main()
