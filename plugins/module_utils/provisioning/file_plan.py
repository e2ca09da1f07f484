# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan of a file: that it holds a text, or is not there."""

from . import actions
from .change import build_change


def plan_file(observed, stage, path, text):
    """Return the change that makes a configuration file have a text; none where it has it."""
    before = observed['files'][path]
    if before == text.strip():
        return []
    before = None if before is None else before + '\n'
    return [build_change(stage, actions.write_file, 'write ' + path, before, text, path=path, content=text)]


def plan_no_file(observed, stage, path):
    """Return the change that takes away a configuration file of the role's; none where there is none."""
    before = observed['files'][path]
    return [] if before is None else [dict(remove_path(stage, path), before=before + '\n')]


def remove_path(stage, path):
    return build_change(stage, actions.remove_path, 'remove ' + path, path + '\n', None, path=path)
