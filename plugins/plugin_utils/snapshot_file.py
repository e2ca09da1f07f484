# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The file of a node's snapshot on the controller."""

from __future__ import annotations

import os

# The types of what msr_save and msr_restore take
TYPES = {
    'path': {'type': 'path'},
    'controller_directory': {'type': 'path'},
    'registers': {'type': 'list', 'elements': 'str'},
    'kinds': {'type': 'list', 'elements': 'str'},
    'cpus': {'type': 'str'},
    'accept': {'type': 'list', 'elements': 'str'},
    'backup': {'type': 'int'},
    'lock_timeout': {'type': 'float'},
}


def snapshot_file(action, task_vars):
    """Return the path of the node's own file in the task's controller_directory."""
    directory = action._loader.path_dwim(os.path.expanduser(str(action._task.args['controller_directory'])))
    return os.path.join(directory, task_vars['inventory_hostname'].replace('/', '_') + '.json')
