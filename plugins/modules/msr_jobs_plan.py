#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Plan what a node of Slurm needs for its jobs to leave registers as they found them (documentation)."""

DOCUMENTATION = r"""
module: msr_jobs_plan
short_description: Plan what a node of Slurm needs for its jobs to leave registers as they found them
version_added: 2.0.0
description:
  - Not for users but for the role P(hpc.msr_safe.slurm#role), which is made of this module and
    M(hpc.msr_safe.msr_safe_apply).
  - Looks at its options on the controller, observes the node in one module execution, and returns the changes that
    are due. Changes nothing.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes.info
options:
  state:
    description: Whether the node is to have it, or no trace of it.
    type: str
    choices: [present, absent]
    default: present
  method:
    description: Whether a SPANK plugin runs C(msr-job), or scripts do.
    type: str
    choices: [spank, scripts]
    default: spank
  submit_only:
    description: The host is one that jobs are submitted from.
    type: bool
    default: false
  profiles:
    description: The site's profiles, see O(hpc.msr_safe.slurm#role:main:slurm_msr_profiles).
    type: dict
    default: {}
  default_profile:
    description: The profile of a job that asks for none.
    type: raw
    default: ""
  partition_defaults:
    description: The same for the jobs of single partitions.
    type: raw
    default: {}
  trust_accounts:
    description: Let profiles be for accounts although Slurm does not check which account a user names.
    type: bool
    default: false
  shared:
    description: What happens where jobs share a node.
    type: str
    choices: [refuse, last]
    default: refuse
  prolog_failure:
    description: Whether to drain a node where a prolog fails.
    type: str
    choices: [drain, tolerate]
    default: drain
  epilog_failure:
    description: The same for an epilog.
    type: str
    choices: [drain, tolerate]
    default: drain
  survivors:
    description: What the epilog does with processes of the job's user that have a device open.
    type: str
    choices: [kill, report]
    default: kill
  admin_comment:
    description: Whether the job's AdminComment in the accounting says what was brought back after it.
    type: str
    choices: [none, accounting]
    default: none
  standby:
    description: Whether an C(msr-job) stands by on the node, so that a job's prolog and epilog need not start Python.
    type: bool
    default: true
  bindir:
    description: The directory of Slurm's commands, where they are at no usual place.
    type: str
    default: ""
  plugstack:
    description: The file that gets the plugin's line, if not the one that slurm.conf names.
    type: str
    default: ""
  prolog:
    description: Where the prolog goes, with the method V(scripts).
    type: path
    default: /etc/slurm/prolog.d/50-msr-safe
  epilog:
    description: Where the epilog goes, with the method V(scripts).
    type: path
    default: /etc/slurm/epilog.d/50-msr-safe
  artifacts:
    description: Directory on the controller that keeps what was built.
    type: path
    required: true
seealso:
  - module: hpc.msr_safe.msr_safe_apply
  - module: hpc.msr_safe.msr_jobs_info
"""

EXAMPLES = r"""
- name: Say what the role would do on this node
  hpc.msr_safe.msr_jobs_plan:
    artifacts: ~/.cache/hpc.msr_safe/spank
    profiles:
      monitor: {tier: monitor}
  register: plan

- name: Show it
  ansible.builtin.debug:
    msg: "{{ plan.changes | map(attribute='title') }}"
"""

RETURN = r"""
due:
  description: The stages that have something to do, in order.
  returned: success
  type: list
  elements: str
  sample: [build, approve, jobs, slurm, boot, restart]
changes:
  description: The changes that are due, for M(hpc.msr_safe.msr_safe_apply).
  returned: success
  type: list
  elements: dict
deferred:
  description: What is not done now and why, a line each.
  returned: success
  type: list
  elements: str
waiting:
  description: The same for M(hpc.msr_safe.msr_safe_apply).
  returned: success
  type: list
  elements: dict
remembers:
  description: Whether the node remembers just that.
  returned: success
  type: bool
pending:
  description: Whether there is anything to do, deferred, or to be remembered or forgotten.
  returned: success
  type: bool
slurm_version:
  description: The version of the node's Slurm.
  returned: success
  type: str
  sample: 22.05.8
artifact:
  description: The plugin that was built, or is to be built, as a path on the controller, and which it is.
  returned: O(state=present) and O(method=spank)
  type: dict
"""
