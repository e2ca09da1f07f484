# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that reboots comes back as it was, without Ansible."""

import time

import pytest

FACTS = (
    'grep -w -e msr_safe -e msr_batch /proc/devices; '
    'stat -c "%n %a %U:%G" /dev/cpu/*/msr_safe /dev/cpu/msr_*; '
    'sha256sum /dev/cpu/msr_approved_list'
)


@pytest.fixture
def reboot(host):
    def reboot_and_wait():
        boot_id = host.check_output('cat /proc/sys/kernel/random/boot_id')
        host.run('systemctl reboot')
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            now = host.run('cat /proc/sys/kernel/random/boot_id')
            if now.rc == 0 and now.stdout.strip() != boot_id:
                host.run_expect([0], 'systemctl is-system-running --wait || true')
                return
            time.sleep(3)
        pytest.fail('the node did not come back within 180 s')

    return reboot_and_wait


def test_everything_is_back_after_a_reboot(host, node, reboot, playbook):
    before = host.check_output(FACTS)
    reboot()
    assert host.check_output(FACTS) == before
    result = playbook('site')
    assert result.succeeded, result.output
    assert result.changed(node) == 0
