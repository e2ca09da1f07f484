# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""How the modules behave in check and diff mode."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Predicts what would be done without doing it. The prediction is the plan that is otherwise carried out.
    support: full
  diff_mode:
    description: Shows what is, and what would be or was made of it.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: Where the module works.
    platforms: Linux on x86
    support: full
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    description: The module only looks.
    support: full
  diff_mode:
    description: There is nothing to show, as nothing changes.
    support: N/A
  idempotent:
    description: The module only looks.
    support: full
  platform:
    description: Where the module works.
    platforms: Linux on x86
    support: full
"""
