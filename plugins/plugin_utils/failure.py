# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""How an action plugin fails: with words, and nothing else."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail


class ActionFailure(AnsibleActionFail):
    """What an action plugin refuses, in words for whoever ran the task.

    Up to 2.18, ansible-core puts the traceback of what was caught beside them.
    """

    def __init__(self, message, result=None):
        super().__init__(message, result=result)
        self.result.pop('exception', None)
