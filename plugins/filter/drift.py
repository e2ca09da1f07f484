# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

from __future__ import annotations

DOCUMENTATION = r"""
name: drift
short_description: Where nodes differ that should be equal
version_added: 2.0.0
author: The hpc.msr_safe contributors
description:
  - Compares what M(hpc.msr_safe.msr_audit_info) returned of several nodes, as M(hpc.msr_safe.msr_audit) does, and
    returns the differences.
  - For a site's own playbooks, which want to know and need no page.
options:
  _input:
    description: The result of M(hpc.msr_safe.msr_audit_info) of each node, under the node's name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Stop where nodes have drifted apart
  ansible.builtin.assert:
    that: drifted | length == 0
    fail_msg: "{{ drifted | map(attribute='text') | join('; ') }}"
  vars:
    results: "{{ ansible_play_hosts | map('extract', hostvars, 'msr_audit_observed') }}"
    observed: "{{ dict(ansible_play_hosts | zip(results)) }}"
    drifted: "{{ observed | hpc.msr_safe.drift | rejectattr('category', 'eq', 'other') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The findings, what costs most first, as in C(findings.json) of M(hpc.msr_safe.msr_audit).
  type: list
  elements: dict
  sample:
    - category: power
      source: majority
      group: 0
      subject: MSR_PKG_POWER_LIMIT
      text: "MSR_PKG_POWER_LIMIT: PL1_POWER_LIMIT 205 W -> 165 W"
      changes: [[PL1_POWER_LIMIT, 205 W, 165 W, ""]]
      nodes: n[001-117]
      count: 117
"""

from ansible.errors import AnsibleFilterError

from ..module_utils.audit.comparison import compare
from ..module_utils.audit.finding import describe_finding
from ..module_utils.errors import MsrSafeError
from ..plugin_utils.audit import record


def drift(results):
    """Return the findings on {node: result of msr_audit_info}."""
    if not isinstance(results, dict) or not all(isinstance(each, dict) for each in results.values()):
        raise AnsibleFilterError('drift takes the results of msr_audit_info under the names of their nodes.')
    try:
        return [describe_finding(finding) for finding in compare(record(results, '')).findings]
    except (KeyError, TypeError, ValueError, MsrSafeError) as error:
        raise AnsibleFilterError(f'drift: this is not what msr_audit_info returns: {error!r}') from None


class FilterModule:
    def filters(self):
        return {'drift': drift}
