# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan of the kernel's NMI watchdog: kept off the counters that users may program, or given back."""

from . import actions
from .change import build_change
from .file_plan import plan_file
from .files import SYSCTL, WATCHDOG_WAS_ON, sysctl_text
from .kernel import is_running


def plan_watchdog(observed, wanted):
    """Plan to keep the NMI watchdog off the counters before users may program them; or to undo that."""
    text = observed['files'][SYSCTL]
    if wanted == 'keep':
        return undo_watchdog(observed, 'approve') if text else []
    is_on = bool(observed['nmi_watchdog'] and observed['nmi_watchdog']['enabled'])
    was_on = is_on if text is None else WATCHDOG_WAS_ON in text
    changes = plan_file(observed, 'approve', SYSCTL, sysctl_text(was_on))
    return changes + ([turn_watchdog('approve', enabled=False)] if is_on and is_running(observed) else [])


def undo_watchdog(observed, stage):
    """Return the changes that take away what turned the NMI watchdog off, and turn it on if it was on before."""
    text = observed['files'][SYSCTL]
    changes = [build_change(stage, actions.remove_path, 'remove ' + SYSCTL, text + '\n', None, path=SYSCTL)]
    is_due = WATCHDOG_WAS_ON in text and observed['nmi_watchdog'] and not observed['nmi_watchdog']['enabled']
    return changes + ([turn_watchdog(stage, enabled=True)] if is_due and is_running(observed) else [])


def turn_watchdog(stage, enabled):
    words = ['kernel.nmi_watchdog = 1\n', 'kernel.nmi_watchdog = 0\n']
    before, after = reversed(words) if enabled else words
    return build_change(
        stage,
        actions.set_nmi_watchdog,
        "turn the kernel's NMI watchdog " + ('on' if enabled else 'off'),
        before,
        after,
        enabled=enabled,
    )
