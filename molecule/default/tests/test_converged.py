# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role left on each node."""

import pathlib
import runpy

import pytest

testinfra_hosts = ['ssh://skylake', 'ssh://milan']

VERSION = runpy.run_path(str(pathlib.Path(__file__).parents[3] / 'plugins/module_utils/version.py'))['VERSION']
CPUS = {'skylake': 4, 'milan': 2}
LISTS = {'skylake': 'al_0655', 'milan': 'al_191'}
DEVICES = {'msr_batch': '660', 'msr_approved_list': '600', 'msr_safe_version': '440'}


@pytest.fixture(scope='module')
def owners(host):
    """Who may do what with each device: {path: 'user group mode'}."""
    said = host.check_output('stat --format="%n %U %G %a" /dev/cpu/*/msr_safe /dev/cpu/msr_*')
    return dict(line.split(' ', 1) for line in said.splitlines())


def test_module_is_loaded_with_its_majors(host):
    assert host.file('/sys/module/msr_safe/version').content_string.strip() == VERSION
    devices = host.file('/proc/devices').content_string
    assert '240 msr_safe\n' in devices
    assert '241 msr_batch\n' in devices


def test_every_cpu_has_its_device_for_the_group(owners, node):
    for cpu in range(CPUS[node]):
        assert owners[f'/dev/cpu/{cpu}/msr_safe'] == 'root msr 660'


@pytest.mark.parametrize('device', DEVICES)
def test_devices_have_their_modes(owners, device):
    assert owners[f'/dev/cpu/{device}'] == f'root msr {DEVICES[device]}'


def test_old_clients_find_the_list_by_its_other_names(host):
    assert host.file('/dev/cpu/msr_allowlist').linked_to == '/dev/cpu/msr_approved_list'
    assert host.file('/dev/cpu/msr_whitelist').linked_to == '/dev/cpu/msr_approved_list'


def test_a_cpu_that_comes_online_later_has_the_same_permissions(host, node):
    last = CPUS[node] - 1
    online = f'/sys/devices/system/cpu/cpu{last}/online'
    host.run_expect([0], f'echo 0 > {online}')
    assert not host.file(f'/dev/cpu/{last}/msr_safe').exists
    host.run_expect([0], f'echo 1 > {online} && udevadm settle')
    assert host.check_output(f'stat --format="%G %a" /dev/cpu/{last}/msr_safe') == 'msr 660'


def test_list_of_the_cpu_is_active_with_the_override(host, node):
    assert LISTS[node] in host.file('/etc/msr-safe/approved_list').content_string
    active = host.file('/dev/cpu/msr_approved_list').content_string
    assert '0x000001A0 0x0000004000000000' in active
    assert len(active.splitlines()) > 20


def test_commands_are_installed(host):
    assert host.check_output('msrsave --version') == f'msrsave {VERSION}'
    assert host.check_output('msr-safe --version') == f'msr-safe {VERSION}'
    assert 'snapshot' in host.check_output('msrsave --help')


def test_service_is_enabled_and_has_run(host):
    service = host.service('msr-safe')
    assert service.is_enabled
    assert service.is_running


def test_the_kernel_has_nothing_to_complain_of(host):
    log = host.check_output('dmesg --level=emerg,alert,crit,err,warn')
    assert 'msr_safe' not in log.replace('msr_safe: loading out-of-tree module taints kernel', '').replace(
        'msr_safe: module verification failed: signature and/or required key missing - tainting kernel', ''
    )
