# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes with different CPUs that booted the same image. Ansible has not been on them."""

import pytest

testinfra_hosts = ['ssh://skylake', 'ssh://milan']

LISTS = '/etc/msr-safe/approved_lists'
NAMES = {'skylake': 'al_0655', 'milan': 'al_191'}


def test_the_service_has_loaded_the_module(host):
    service = host.service('msr-safe')
    assert service.is_enabled
    assert service.is_running
    assert host.file('/sys/module/msr_safe/version').content_string.strip() == '2.0.0'
    assert '240 msr_safe\n' in host.file('/proc/devices').content_string


def test_the_list_in_force_is_that_of_the_cpu(host, node):
    assert not host.file('/etc/msr-safe/approved_list').exists
    selected = host.check_output('msr-safe select')
    assert selected.startswith(f'{LISTS}/{NAMES[node]}\n')
    assert 'it is active' in selected
    assert host.run(f'msr-safe diff {LISTS}/{NAMES[node]}').rc == 0
    assert '0x000001A0 0x0000004000000000' in host.file('/dev/cpu/msr_approved_list').content_string


def test_the_group_has_the_devices(host):
    assert host.group('msr').exists
    assert host.check_output('stat --format="%U %G %a" /dev/cpu/1/msr_safe') == 'root msr 660'
    assert host.check_output('stat --format="%U %G %a" /dev/cpu/msr_approved_list') == 'root msr 600'


def test_a_user_of_the_group_reaches_a_register(host, turbo_off):
    turbo_off(1)
    host.run_expect([0], 'msrsave /root/snapshot.json')
    held = host.file('/root/snapshot.json').content_string
    assert '"name": "IA32_MISC_ENABLE"' in held
    assert '"0x0000004' in held


@pytest.mark.parametrize('mode', [['--check'], []])
def test_the_role_on_the_node_changes_nothing(playbook, node, mode):
    run = playbook('site', *mode)
    assert run.succeeded, run.output
    assert run.changed(node) == 0, run.output
