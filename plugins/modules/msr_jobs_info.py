#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Observe what a node has of Slurm, and of what makes jobs leave registers as they found them."""

DOCUMENTATION = r"""
module: msr_jobs_info
short_description: Observe what a node has of Slurm and of the role slurm
version_added: 2.0.0
description:
  - Returns where Slurm is on the node, what slurm.conf says, the files of the role P(hpc.msr_safe.slurm#role),
    and the jobs that have a record.
  - Never changes anything, and needs no slurmctld.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes.info
options:
  submit_only:
    description: The host is one that jobs are submitted from; it needs no slurmd.
    type: bool
    default: false
  bindir:
    description: The directory of Slurm's commands, where they are at no usual place.
    type: str
    default: ""
  plugstack:
    description: The file that names the plugin, if not the one that slurm.conf names.
    type: str
    default: ""
  prolog:
    description: Where the prolog script is.
    type: path
    default: /etc/slurm/prolog.d/50-msr-safe
  epilog:
    description: Where the epilog script is.
    type: path
    default: /etc/slurm/epilog.d/50-msr-safe
seealso:
  - module: hpc.msr_safe.msr_jobs_plan
"""

EXAMPLES = r"""
- name: Observe the node
  hpc.msr_safe.msr_jobs_info:
  register: node

- name: Say which jobs have a record
  ansible.builtin.debug:
    msg: "Slurm {{ node.msr_jobs.slurm.version }}: {{ node.msr_jobs.jobs | join(', ') | default('no job', true) }}"
"""

RETURN = r"""
msr_jobs:
  description: What there is on the node.
  returned: success
  type: dict
  contains:
    slurm:
      description:
        - Where Slurm is, its version, and what slurm.conf says; null where there is none. C(mute) says why there is no
          version, where Slurm's program does not tell it.
      type: dict
      sample: {"version": "22.05.8", "bindir": "", "conf": "/etc/slurm/slurm.conf", "configless": false}
    plugin:
      description:
        - The SPANK plugin, which Slurm and which source it is of. C(loads) says whether Slurm's commands have its
          options; null where there is no command to ask.
      type: dict
    slurmd:
      description:
        - Each slurmd that runs, the unit of systemd that started it, and which plugin it has loaded - V(current),
          V(old) or V(none); null where that cannot be seen.
      type: list
      elements: dict
      sample: [{"pid": 811, "unit": "slurmd.service", "loaded": "current"}]
    standby:
      description: Whether an C(msr-job) that stands by is enabled, and whether it answers.
      type: dict
      sample: {"enabled": true, "answers": true}
    files:
      description: The texts of the files of the role; null where there is none.
      type: dict
    jobs:
      description: The jobs that have a record on the node.
      type: list
      elements: str
    deferred:
      description: What the role could not do yet, why, and since when.
      type: list
      elements: dict
    cpu:
      description: The processor, as RV(hpc.msr_safe.msr_safe_info#module:msr_safe).
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import machine_of
from ..module_utils.provisioning.slurm_node import observe_slurm_node


def main():
    module = AnsibleModule(
        argument_spec={
            'submit_only': {'type': 'bool', 'default': False},
            'bindir': {'type': 'str', 'default': ''},
            'plugstack': {'type': 'str', 'default': ''},
            'prolog': {'type': 'path', 'default': '/etc/slurm/prolog.d/50-msr-safe'},
            'epilog': {'type': 'path', 'default': '/etc/slurm/epilog.d/50-msr-safe'},
        },
        supports_check_mode=True,
    )
    places = {name: value for name, value in module.params.items() if name != 'submit_only'}
    try:
        machine = machine_of(None)
        if not (machine.runs or module.params['submit_only']):
            raise MsrSafeError(
                'This is an image, or a container: the role slurm needs the CPU and the Slurm of a node that runs.',
                'Apply it to the nodes that boot the image. The role msr_safe is for images, too.',
            )
        observed = observe_slurm_node(machine, module.params['submit_only'], places)
    except MsrSafeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, msr_jobs=observed)


if __name__ == '__main__':
    main()
