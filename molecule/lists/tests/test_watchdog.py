# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's NMI watchdog, which counts on what users may program: said, turned off where asked, brought back.

QEMU emulates no performance counters, so the kernel has no watchdog: files stand for its switch, and for the counters.
"""

import pytest

testinfra_hosts = ['ssh://skylake']

SWITCH = '/proc/sys/kernel/nmi_watchdog'
DROP_IN = '/etc/sysctl.d/70-msr-safe.conf'
SAID = 'NMI watchdog counts on a performance counter'


@pytest.fixture
def watchdog(host):
    """A kernel whose watchdog runs; return a function that says whether it does."""
    devices = '/sys/bus/event_source/devices'
    host.run_expect([0], f'echo 1 > /run/watchdog && mount --bind /run/watchdog {SWITCH}')
    host.run_expect([0], f'mount -t tmpfs counters {devices} && mkdir {devices}/cpu')

    def switch():
        return host.file(SWITCH).content_string.strip()

    yield switch
    host.run_expect([0], f'umount {devices} {SWITCH}; rm -f {DROP_IN}; msr-safe load')


def test_message_drop_in_check_mode_and_way_back(host, playbook, watchdog):
    # Said by the command and, where a list is activated, by the role; not by a list that only reads
    assert SAID in host.run('msr-safe load').stderr
    host.run_expect([0], 'msr-safe clear')
    kept = playbook('site')
    assert kept.succeeded, kept.output
    assert SAID in kept.output
    host.run_expect([0], 'echo 0x186 0 > /root/reads && msr-safe load /root/reads')
    assert SAID not in host.run('msr-safe load /root/reads').stderr
    host.run_expect([0], 'msr-safe load')

    # Check mode shows both, and does neither
    predicted = playbook('site', '--check', '--diff', msr_safe_nmi_watchdog=False)
    assert predicted.succeeded, predicted.output
    for words in (f'write {DROP_IN}', "turn the kernel's NMI watchdog off", '+kernel.nmi_watchdog = 0'):
        assert words in predicted.output, predicted.output
    assert (watchdog(), host.file(DROP_IN).exists) == ('1', False)

    done = playbook('site', msr_safe_nmi_watchdog='off')
    assert done.succeeded, done.output
    assert SAID not in done.output
    assert (watchdog(), 'kernel.nmi_watchdog = 0' in host.file(DROP_IN).content_string) == ('0', True)
    assert SAID not in host.run('msr-safe load').stderr
    assert playbook('site', msr_safe_nmi_watchdog='off').changed('skylake') == 0

    back = playbook('site')
    assert back.succeeded, back.output
    assert (watchdog(), host.file(DROP_IN).exists) == ('1', False)


def test_it_goes_with_the_role(host, playbook, watchdog):
    assert playbook('site', msr_safe_nmi_watchdog='off').succeeded
    assert watchdog() == '0'
    removed = playbook('remove')
    assert removed.succeeded, removed.output
    assert (watchdog(), host.file(DROP_IN).exists) == ('1', False)
    assert playbook('site').succeeded
