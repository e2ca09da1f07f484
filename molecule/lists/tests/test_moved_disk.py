# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that moves: set up in a node with one CPU, booted in a node with another."""

import os
import pathlib
import subprocess
import sys

import pytest
import yaml

testinfra_hosts = ['ssh://skylake']

FLEET = pathlib.Path(__file__).parents[3] / 'tests' / 'fleet' / 'fleet'
STATE = pathlib.Path(os.environ['FLEET_STATE'])


def boot_with(cpu):
    """Cut the node's power, and boot its disk with another CPU; return the CPU that it had."""
    spec = yaml.safe_load((STATE / 'fleet.yml').read_text())
    (node,) = [node for node in spec['nodes'] if node['name'] == 'skylake']
    before, node['cpu'] = node['cpu'], cpu
    (STATE / 'fleet.yml').write_text(yaml.safe_dump(spec, sort_keys=False))
    subprocess.run([sys.executable, FLEET, 'reboot', 'skylake', '--state', STATE], check=True)
    return before


@pytest.fixture
def moved(host, playbook):
    """The disk of the node, in a Milan; and back, where it needs the role as much."""
    before = boot_with('EPYC-Milan')
    yield
    boot_with(before)
    assert playbook('site').succeeded


def test_nothing_is_approved_and_site_repairs_it(host, playbook, moved):
    # The service fails with a clear line, and the list is empty
    assert host.run('systemctl is-failed msr-safe').stdout.strip() == 'failed'
    log = host.check_output('journalctl --boot --unit=msr-safe --no-pager')
    assert (
        '/etc/msr-safe/approved_list is for GenuineIntel family 6 model 85 (al_0655), '
        'and this CPU is AuthenticAMD family 25 model 1 (al_191)'
    ) in log
    assert 'Take al_191' in log
    assert '0 registers' in host.check_output('msr-safe show')

    repaired = playbook('site')
    assert repaired.succeeded, repaired.output
    assert '# CPU: AuthenticAMD family 25 model 1 (Milan)' in host.file('/etc/msr-safe/approved_list').content_string
    assert host.run('systemctl is-active msr-safe').stdout.strip() == 'active'
    assert 'PSTATE_CTL' in host.check_output('msr-safe show')
    assert playbook('site').changed('skylake') == 0
