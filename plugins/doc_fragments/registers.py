# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What the modules that access registers have in common."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  allow_partial:
    description:
      - Do not fail where some registers of some CPUs could not be read or written.
      - They are in the result either way, and all the others are done.
    type: bool
    default: false
  lock_timeout:
    description: How many seconds to wait for another save, restore or setting of registers on this node.
    type: float
    default: 30
requirements:
  - Python 3.6 or later on the node
  - an msr-safe kernel module on the node, as the role P(hpc.msr_safe.msr_safe#role) provides it, or another one
notes:
  - Needs root (C(become)).
  - Without C(/dev/cpu/msr_batch), registers are accessed one by one through C(/dev/cpu/*/msr_safe), with a warning.
    The kernel's own C(msr) driver alone is not enough.
"""

    SELECTION = r"""
options:
  registers:
    description: Only these, as names (with or without C(IA32_) or C(MSR_)) or addresses. All of O(kinds) otherwise.
    type: list
    elements: str
    default: []
  cpus:
    description:
      - The CPUs, as a cpulist (V(0-3,8)), or a word.
      - V(all) are those that are online, V(one_per_package), V(one_per_die) and V(one_per_core) the first one of each.
    type: str
    default: all
"""
