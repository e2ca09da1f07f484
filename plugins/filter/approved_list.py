# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

from __future__ import annotations

DOCUMENTATION = r"""
name: approved_list
short_description: The approved list for a CPU, as text
version_added: 2.0.0
author: The hpc.msr_safe contributors
description:
  - Chooses and changes a list as the role P(hpc.msr_safe.msr_safe#role) does, and refuses what is dangerous.
  - For lists other than the one that role activates, such as those of the profiles of role P(hpc.msr_safe.slurm#role).
options:
  _input:
    description: The CPU, as C(msr_safe.cpu) of M(hpc.msr_safe.msr_safe_info).
    type: dict
    required: true
  tier:
    description: How much a shipped list approves.
    type: str
    choices: [shared, monitor, perf, power]
    default: power
  directories:
    description: Directories on the controller with the site's own lists, searched before the shipped ones.
    type: list
    elements: path
    default: []
  overrides:
    description: Changes to the list, as O(hpc.msr_safe.msr_safe#role:main:msr_safe_approved_list_overrides).
    type: list
    elements: dict
    default: []
  allow_unsafe:
    description: Addresses that may be on the list although they are dangerous.
    type: list
    elements: str
    default: []
  shared:
    description: Whether jobs of several users share the node.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Put a list that only reads somewhere
  ansible.builtin.copy:
    content: "{{ node.msr_safe.cpu | hpc.msr_safe.approved_list(tier='monitor') }}"
    dest: /etc/msr-safe/profiles/monitor
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The text of the list.
  type: str
"""


from ansible.errors import AnsibleFilterError

from ..module_utils.errors import MsrSafeError
from ..module_utils.provisioning.collection import COLLECTION


def approved_list(cpu, tier='power', directories=(), overrides=(), allow_unsafe=(), shared=False):
    """Return the text of the list for a CPU."""
    settings = {
        'tier': tier,
        'directories': directories,
        'overrides': overrides,
        'allow_unsafe': allow_unsafe,
        'shared': shared,
    }
    try:
        return COLLECTION.approved_list(cpu, settings)[0]['file_text']
    except MsrSafeError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    def filters(self):
        return {'approved_list': approved_list}
