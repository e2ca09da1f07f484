# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that reboot, both at once, come back as they were, without Ansible."""

import pathlib
import time

import pytest

testinfra_hosts = ['ssh://skylake', 'ssh://milan']

SCENARIO = pathlib.Path(__file__).parent.parent
NODES = ('skylake', 'milan')
PATIENCE = 240  # seconds

FACTS = (
    'grep -w -e msr_safe -e msr_batch /proc/devices; '
    'stat -c "%n %a %U:%G" /dev/cpu/*/msr_safe /dev/cpu/msr_*; '
    'sha256sum /dev/cpu/msr_approved_list'
)


@pytest.fixture(scope='module')
def boot_id(ssh):
    """Return which boot of a node this is, or None while the node does not answer."""

    def ask(node):
        try:
            return ssh(node, 'cat /proc/sys/kernel/random/boot_id')
        except RuntimeError:
            return None

    return ask


@pytest.fixture(scope='module')
def facts(ssh, boot_id):
    """Reboot the nodes: {node: (facts before, facts after)}."""
    before = {node: (ssh(node, FACTS), boot_id(node)) for node in NODES}
    for node in NODES:
        ssh(node, 'systemd-run --on-active=1 systemctl reboot')
    return {node: (before[node][0], facts_after(node, before[node][1], ssh, boot_id)) for node in NODES}


def facts_after(node, boot, ssh, boot_id):
    deadline = time.monotonic() + PATIENCE
    while boot_id(node) in (None, boot):
        assert time.monotonic() < deadline, f'{node} did not come back within {PATIENCE} s'
        time.sleep(1)
    ssh(node, 'systemctl is-system-running --wait || true')
    return ssh(node, FACTS)


@pytest.fixture(scope='module')
def site(facts, playbook_on):
    return playbook_on('all', SCENARIO, 'site')


def test_everything_is_back_after_a_reboot(facts, node):
    before, after = facts[node]
    assert before == after


def test_the_role_finds_nothing_to_do_afterwards(site, node):
    assert site.succeeded, site.output
    assert site.changed(node) == 0
