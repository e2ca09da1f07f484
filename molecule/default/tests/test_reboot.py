# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that reboots comes back as it was, without Ansible."""

import time

import pytest

testinfra_hosts = ['ssh://skylake', 'ssh://milan']

FACTS = (
    'grep -w -e msr_safe -e msr_batch /proc/devices; '
    'stat -c "%n %a %U:%G" /dev/cpu/*/msr_safe /dev/cpu/msr_*; '
    'sha256sum /dev/cpu/msr_approved_list'
)


def boot_id(host):
    """Return which boot this is, or None while the node does not answer."""
    try:
        return host.run('cat /proc/sys/kernel/random/boot_id').stdout
    except RuntimeError:  # ssh's own failures
        return None


@pytest.fixture
def reboot(host):
    def reboot_and_wait():
        before = boot_id(host)
        host.run('systemd-run --on-active=1 systemctl reboot')
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            if boot_id(host) not in (None, before):
                host.run('systemctl is-system-running --wait')
                return
            time.sleep(3)
        pytest.fail('the node did not come back within 240 s')

    return reboot_and_wait


def test_everything_is_back_after_a_reboot(host, node, reboot, playbook):
    before = host.check_output(FACTS)
    reboot()
    assert host.check_output(FACTS) == before
    result = playbook('site')
    assert result.succeeded, result.output
    assert result.changed(node) == 0
