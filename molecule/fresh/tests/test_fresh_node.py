# SPDX-License-Identifier: GPL-3.0-or-later
"""A node on which the role cannot do its work: a clear message, and nothing changed."""

import pytest

testinfra_hosts = ['ssh://stranger']

TRACES = 'ls -d /etc/msr-safe /etc/modprobe.d/msr-safe.conf /usr/sbin/msrsave /var/lib/msr-safe /dev/cpu/msr_*'


@pytest.fixture
def refused(host):
    def assert_refused(run, *words):
        result = run()
        assert not result.succeeded, result.output
        assert 'Traceback' not in result.output
        for word in words:
            assert word in result.output
        assert host.run(f'{TRACES} 2>/dev/null').stdout == ''
        assert not host.group('msr').exists

    return assert_refused


def test_no_list_for_this_cpu(refused, playbook):
    refused(lambda: playbook('site'), 'No approved list for AuthenticAMD family 15 model 107 (al_0f6b)', 'al_0f6b')


def test_kernel_refuses_unsigned_modules(refused, playbook, tmp_path):
    (tmp_path / 'al_0f6b').write_text('0x10 0x0 # IA32_TIME_STAMP_COUNTER (counter)\n')
    refused(
        lambda: playbook('site', msr_safe_approved_list_directories=[str(tmp_path)]),
        *('signed modules only', 'sig_enforce'),
    )


def test_commands_without_the_module(refused, module):
    refused(lambda: module('msr_save', path='/root/snapshot.json'), 'no msr-safe kernel module is loaded')
