# SPDX-License-Identifier: GPL-3.0-or-later
"""Removal takes every trace away, as it said it would."""

testinfra_hosts = ['ssh://skylake', 'ssh://milan']

PATHS = (
    '/etc/msr-safe /etc/modprobe.d/msr-safe.conf /etc/udev/rules.d/70-msr-safe.rules '
    '/etc/systemd/system/msr-safe.service /etc/systemd/system/multi-user.target.wants/msr-safe.service '
    '/usr/lib/msr-safe /usr/sbin/msrsave /usr/sbin/msr-safe /usr/src/msr-safe-* /var/lib/msr-safe '
    '/usr/share/man/man8/msr* /usr/share/bash-completion/completions/msr* '
    '/lib/modules/*/updates/msr-safe.ko /sys/module/msr_safe /dev/cpu/msr_* /dev/cpu/*/msr_safe'
)


def test_removal(host, node, playbook):
    predicted = playbook('remove', '--check')
    assert predicted.succeeded, predicted.output
    assert host.file('/etc/msr-safe').exists

    removed = playbook('remove')
    assert removed.succeeded, removed.output
    assert removed.changed(node) == predicted.changed(node)
    assert host.run(f'ls -d {PATHS} 2>/dev/null').stdout == ''
    assert not host.group('msr').exists

    again = playbook('remove')
    assert again.changed(node) == 0
