# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors

DOCUMENTATION = r"""
module: msr_audit
short_description: Compare the registers of a fleet, and say where they differ
version_added: 2.0.0
description:
  - Runs on the controller, once for all hosts of the play, each of which has registered M(hpc.msr_safe.msr_audit_info).
  - Compares nodes with the policy that is for them, equal nodes with each other, and with an earlier run where one is
    named as O(baseline).
  - Prints a summary that ends in what to do. Writes the page C(index.html), C(findings.json), C(junit.xml),
    C(msr_safe.prom) for Prometheus, C(drifted), which is for C(--limit), and the run itself below C(runs).
  - The playbook C(hpc.msr_safe.audit) does all of it.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes.info
options:
  variable:
    description: The name under which the result of M(hpc.msr_safe.msr_audit_info) was registered.
    type: str
    default: msr_audit_observed
  directory:
    description: The directory on the controller in which results are kept.
    type: path
    default: ~/msr-audit
  title:
    description: The title of the page.
    type: str
    default: Audit of registers
  baseline:
    description: A run in which each node was as it should be, a file of C(runs) or a copy of one.
    type: path
  keep:
    description: How many runs are kept. V(0) is no limit.
    type: int
    default: 100
  keep_days:
    description: How many days runs are kept. V(0) is no limit.
    type: int
    default: 400
  fail_on:
    description:
      - The state of a node from which on the task fails, after all is written.
      - V(down) is a node that could not be observed, V(missing) also one without msr-safe or its list,
        V(drift) also one whose list, limits, frequencies or prefetchers differ, V(notice) also any other difference,
        and V(unchecked) also one that there is nothing to compare with.
    type: str
    choices: [never, down, missing, drift, notice, unchecked]
    default: drift
notes:
  - Writes nothing in check mode.
  - Nodes that did not answer are findings. Set C(ignore_unreachable) and C(ignore_errors) where they are observed.
  - Needs the strategy V(linear) in a play of your own. With others, C(run_once) is once for
    each host, before the rest is observed.
seealso:
  - module: hpc.msr_safe.msr_audit_info
"""

EXAMPLES = r"""
- name: Compare all nodes
  hpc.msr_safe.msr_audit:
    directory: /srv/audit/cluster1
    fail_on: never
  run_once: true
  delegate_to: localhost
  become: false
"""

RETURN = r"""
counts:
  description: How many nodes are in which state.
  returned: always
  type: dict
  sample: {"down": 2, "missing": 1, "drift": 180, "notice": 52, "unchecked": 0, "ok": 4765}
page:
  description: The page.
  returned: always
  type: str
limit:
  description: The file for C(--limit), with the nodes that drifted. Null where there are none.
  returned: always
  type: str
run:
  description: The file of this run.
  returned: always
  type: str
"""
