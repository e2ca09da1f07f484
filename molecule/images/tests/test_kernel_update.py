# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that boots a kernel for which there is no module: it comes up, says so in a line, and the role repairs it."""

import pytest

testinfra_hosts = ['ssh://updated']

MODULE = '/lib/modules/{}/updates/msr-safe.ko'


@pytest.fixture(scope='module')
def release(host):
    return host.check_output('uname -r')


def test_the_node_is_up_with_the_other_kernel(host, release):
    assert '-rt-' in release
    assert not host.file(MODULE.format(release)).exists
    assert host.run('systemctl is-system-running').stdout.strip() == 'degraded'
    assert host.check_output('systemctl --failed --plain --no-legend').split()[0] == 'msr-safe.service'


def test_the_journal_says_so_in_a_line(host, release):
    log = host.check_output('journalctl --boot --unit=msr-safe --output=cat')
    (line,) = [line for line in log.splitlines() if line.startswith('msr-safe: ')]
    assert line.startswith(f'msr-safe: There is no module msr_safe for kernel {release} on this node')
    assert 'ansible-playbook hpc.msr_safe.site' in line


def test_the_role_repairs_it(host, release, playbook, node):
    run = playbook('site')
    assert run.succeeded, run.output
    assert host.file(MODULE.format(release)).exists
    assert host.service('msr-safe').is_running
    assert 'it is active' in host.check_output('msr-safe select')
    again = playbook('site')
    assert again.succeeded and again.changed(node) == 0, again.output
