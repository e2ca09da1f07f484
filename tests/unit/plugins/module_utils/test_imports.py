# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What the library's files import: of lower floors only; and what travels to a node with a call of a module."""

import os
import pathlib
import sys

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils import machine

ROOT = pathlib.Path(os.path.abspath(machine.__file__)).parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'tools'))

from architecture import imports_upwards, travels_with  # noqa: E402

MODULES = [
    'msr',
    'msr_info',
    'msr_save',
    'msr_restore',
    'msr_policy',
    'msr_audit_info',
    'msr_safe_info',
    'msr_safe_apply',
]


def test_imports_point_down():
    assert list(imports_upwards(ROOT)) == []


def test_an_import_that_points_up_would_be_seen(tmp_path):
    library = tmp_path / 'plugins' / 'module_utils'
    for path, text in {
        'errors.py': 'from .hardware import cpu\n',
        'hardware/__init__.py': '',
        'hardware/cpu.py': 'def describe():\n    from ..provisioning.plan import STAGES\n',
        'provisioning/plan.py': 'from ..hardware.cpu import describe\n',
        'attic/thing.py': '',
    }.items():
        (library / path).parent.mkdir(parents=True, exist_ok=True)
        (library / path).write_text(text)

    assert sorted(imports_upwards(tmp_path)) == [
        'attic/thing.py: attic is on no floor',
        'errors.py (ground) imports hardware/cpu.py (hardware)',
        'hardware/cpu.py (hardware) imports provisioning/plan.py (provisioning)',
    ]


@pytest.mark.parametrize('module', MODULES)
def test_the_table_of_all_cpus_stays_on_the_controller(module):
    travelling = travels_with(ROOT, module)
    assert 'machine.py' in travelling
    assert 'registers/table.py' not in travelling


def test_it_would_be_seen():
    assert 'registers/table.py' in travels_with(ROOT, 'msr_approved_list')
