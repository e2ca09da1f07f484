# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shipped, and what is not a list, against the real kernel module. MSR_SAFE_INPUTS=10000 for the long way."""

import json
import os

import pytest
from steps import BRIEF

testinfra_hosts = ['ssh://skylake']

INPUTS = int(os.environ.get('MSR_SAFE_INPUTS', 1000 if BRIEF else 3000))
ON_NODE = 'cd /root/molecule/lists/on_node && PYTHONPATH=/usr/lib/msr-safe python3 -B'


@pytest.fixture(autouse=True)
def list_of_the_node(host):
    """Bring back the list that was in force."""
    yield
    host.run_expect([0], 'msr-safe load')


def test_every_shipped_list_loads_and_reads_back(host):
    problems = json.loads(host.check_output(f'{ON_NODE} load_all.py'))
    assert len(problems) == 63 * 4
    assert {name: problem for name, problem in problems.items() if problem} == {}


def test_kernel_and_library_agree_on_generated_inputs(host):
    said = json.loads(host.check_output(f'{ON_NODE} agree.py 2026 {INPUTS}'))
    assert said['disagreements'] == []
    # Inputs that are all alike would show nothing
    assert sum(said['answers'].values()) == INPUTS
    for answer in ('accepted', 'EINVAL', 'ERANGE', 'ENOTUNIQ', 'ENOMSG'):
        assert said['answers'].get(answer, 0) >= INPUTS / 100, said
    assert said['lines'] >= 20
