# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The role on hosts that are as wanted: it is left, where Ansible can, and what comes after it in the play goes on."""

import pytest
from ansible.release import __version__ as ansible_version
from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import (
    observations,
    run_with_summary,
    write_stub,
)

PLAY = """\
- hosts: all
  gather_facts: false
  strategy: %s
  tasks:
    - ansible.builtin.import_role:
        name: hpc.msr_safe.msr_safe
    - block:
        - ansible.builtin.include_role:
            name: hpc.msr_safe.msr_safe
        - ansible.builtin.debug:
            msg: the rest of the block
      always:
        - ansible.builtin.debug:
            msg: the rest of the play
"""
CAN_LEAVE = tuple(map(int, ansible_version.split('.')[:2])) >= (2, 18)


@pytest.mark.parametrize('strategy', ['linear', 'free'])
def test_only_the_role_is_left(tmp_path, strategy):
    _fresh, converged = observations()
    lines = []
    for name, observed in {'n1': converged, 'n2': dict(converged, commands_digest='old')}.items():
        script = write_stub(tmp_path, name, {'msr_safe': observed})
        lines.append('%s ansible_connection=local ansible_python_interpreter=%s' % (name, script))
    (tmp_path / 'hosts').write_text('\n'.join(lines) + '\n')
    (tmp_path / 'play.yml').write_text(PLAY % strategy)
    summary, process = run_with_summary(tmp_path, 'play.yml', '--check')
    assert process.returncode == 0, process.stdout
    assert 'WARNING' not in process.stdout
    for rest in ('the rest of the block', 'the rest of the play'):
        assert process.stdout.count(rest) == 2, process.stdout
    recap = {line.split()[0]: line for line in process.stdout.splitlines() if 'unreachable=' in line}
    assert ('skipped=0' in recap['n1']) == CAN_LEAVE, recap
    assert {what: each['nodes'] for what, each in summary['outcomes'].items() if each['nodes']} == {
        'as wanted': ['n1'],
        'changed': ['n2'],
    }
