# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Variables of the role without a value, as in a file where all below a name is commented out: the defaults hold."""

import json

import pytest
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.wanted import ROLE_ALONE, VARIABLES
from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import (
    observations,
    run_playbook,
    write_stub,
)


@pytest.mark.parametrize('nothing', [None, ''])
def test_a_fresh_node_is_given_what_the_defaults_say(tmp_path, nothing):
    fresh, _converged = observations()
    script = write_stub(tmp_path, 'node', {'msr_safe': fresh})
    line = 'n1 ansible_connection=local ansible_become=false ansible_python_interpreter=%s\n'
    (tmp_path / 'hosts').write_text(line % script)
    outputs = []
    for variables in ({}, dict.fromkeys([*VARIABLES.values(), *ROLE_ALONE], nothing)):
        process = run_playbook(tmp_path, 'hpc.msr_safe.site', '--check', '--diff', '-e', json.dumps(variables))
        assert process.returncode == 0, process.stdout
        outputs.append([each for each in process.stdout.splitlines() if each[:1] in '+-'])
    assert outputs[0] and outputs[0] == outputs[1]
