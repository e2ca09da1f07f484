# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What travels to a node with a call of a module: all that it imports, be it inside a function."""

import ast
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils import machine

LIBRARY = os.path.dirname(machine.__file__)
MODULES = os.path.join(os.path.dirname(LIBRARY), 'modules')


def imports_of(path):
    """Return the names of the library's files that a file imports."""
    with open(path) as stream:
        tree = ast.parse(stream.read())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (node.module or '').replace('module_utils', '').strip('.')
            names.update([base] if base else [alias.name for alias in node.names])
    return names


def travels_with(module):
    found, waiting = set(), imports_of(os.path.join(MODULES, module + '.py'))
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= imports_of(os.path.join(LIBRARY, name + '.py')) - found
    return found


@pytest.mark.parametrize('module', ['msr', 'msr_info', 'msr_save', 'msr_restore', 'msr_safe_info', 'msr_safe_apply'])
def test_the_table_of_all_cpus_stays_on_the_controller(module):
    travelling = travels_with(module)
    assert 'machine' in travelling
    assert 'register_table' not in travelling


def test_it_would_be_seen():
    assert 'register_table' in travels_with('msr_approved_list')
