# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A mistyped variable of one host, by the role: that host is not touched, the others are."""

from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import (
    observations,
    run_playbook,
    write_stub,
)

PLAY = """\
- hosts: all
  gather_facts: false
  roles:
    - role: hpc.msr_safe.msr_safe
"""


def test_that_host_is_refused_with_what_was_meant(tmp_path):
    _fresh, converged = observations()
    script = write_stub(tmp_path, 'node', {'msr_safe': converged})
    (tmp_path / 'play.yml').write_text(PLAY)
    (tmp_path / 'hosts').write_text(
        '[all:vars]\nansible_connection=local\nansible_python_interpreter=%s\n'
        '[nodes]\nn1 msr_safe_aproved_list_tier=monitor\nn2 msr_safe_tier=monitor\nn3 site_tier=monitor\n' % script
    )
    process = run_playbook(tmp_path, 'play.yml', '--check')
    said = ' '.join(process.stdout.split())
    assert 'There is no variable msr_safe_aproved_list_tier. Did you mean msr_safe_approved_list_tier?' in said
    assert 'Nothing of hpc.msr_safe reads msr_safe_tier.' in said
    recap = {
        line.split()[0]: line for line in process.stdout.partition('PLAY RECAP')[2].splitlines()[1:] if line.strip()
    }
    assert ['failed=1' in recap[name] for name in ('n1', 'n2', 'n3')] == [True, False, False]
