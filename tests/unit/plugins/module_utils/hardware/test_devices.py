# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import grp
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.devices import (
    PARAMETERS,
    approved_list_device,
    describe_access,
    device_holders,
    device_paths,
    observe_devices,
    taken_majors,
)

PROC_DEVICES = """\
Character devices:
  1 mem
  4 /dev/vc/0
240 msr_batch
241 other driver

Block devices:
  8 sd
254 virtblk
"""


def test_parameters_are_those_of_the_kernel_module():
    assert PARAMETERS == {
        'msr_safe': 'mdev_msr_safe',
        'msr_batch': 'mdev_msr_batch',
        'msr_approved_list': 'mdev_msr_approved_list',
        'msr_safe_version': 'mdev_msr_version',
    }


def test_our_list_device_comes_before_other_names(bare_node):
    names = ['/dev/cpu/msr_whitelist', '/dev/cpu/msr_allowlist', '/dev/cpu/msr_approved_list']
    for name in names:
        bare_node.put(name, '')
        assert approved_list_device(bare_node.machine) == name


def test_without_a_list_device_it_says_what_to_do(bare_node):
    with pytest.raises(MsrSafeError, match='systemctl start msr-safe'):
        approved_list_device(bare_node.machine)


def test_devices_of_cpus_have_their_numbers(node):
    for name in ('0', '2', '10', 'microcode'):
        node.put('/dev/cpu/%s/msr_safe' % name, '')
    node.put('/dev/cpu/3/msr', '')
    assert device_paths(node.machine, 'msr_safe') == {cpu: '/dev/cpu/%d/msr_safe' % cpu for cpu in (0, 2, 10)}
    assert device_paths(node.machine, 'msr_batch') == {None: '/dev/cpu/msr_batch'}
    assert device_paths(node.machine, 'msr_safe_version') == {}


def access_of(mode):
    group = grp.getgrgid(os.getgid()).gr_name
    return '%s %s:%s' % (mode, 'root' if os.getuid() == 0 else os.getuid(), group)


def test_observes_modes_and_owners(node):
    for cpu, mode in ((0, 0o660), (1, 0o660), (3, 0o600)):
        path = node.path(node.put('/dev/cpu/%d/msr_safe' % cpu, ''))
        os.chmod(path, mode)
    os.chmod(node.path('/dev/cpu/msr_batch'), 0o640)
    observed = observe_devices(node.machine)
    assert observed['msr_safe'] == {'major': 0, 'access': {access_of('0660'): '0-1', access_of('0600'): '3'}}
    assert observed['msr_batch'] == {'major': 0, 'access': {access_of('0640'): ''}}
    assert observed['msr_safe_version'] == {'major': None, 'access': {}}


class Status:
    """A file's status as os.stat gives it."""

    def __init__(self, mode, uid, gid):
        self.st_mode, self.st_uid, self.st_gid = mode, uid, gid


def test_owners_without_a_name_are_numbers():
    assert describe_access(Status(0o20660, 54321, 54322)) == '0660 54321:54322'


def test_root_is_root():
    assert describe_access(Status(0o20600, 0, 0)) == '0600 root:root'


def test_taken_majors_are_those_of_character_devices(node):
    node.put('/proc/devices', PROC_DEVICES)
    assert taken_majors(node.machine) == {1: 'mem', 4: '/dev/vc/0', 240: 'msr_batch', 241: 'other driver'}


@pytest.mark.parametrize('text', ['', 'Character devices:\n', 'x y\n4\n'])
def test_odd_contents_take_no_major(node, text):
    node.put('/proc/devices', text)
    assert taken_majors(node.machine) == {}


def test_without_proc_devices_none_is_taken(node):
    assert taken_majors(node.machine) == {}


def test_holders_are_named(node):
    node.put('/proc/10/comm', 'geopmd\n')
    node.link('/proc/10/fd/3', '/dev/cpu/msr_batch')
    node.link('/proc/10/fd/4', '/dev/cpu/7/msr_safe')
    node.link('/proc/10/fd/5', '/dev/cpu/7/msr')
    node.link('/proc/10/fd/6', '/home/u/msr_batch')
    node.link('/proc/10/fd/7', 'socket:[123]')
    node.link('/proc/11/fd/3', '/dev/cpu/msr_approved_list')
    holders = device_holders(node.machine)
    assert [(one['pid'], one['command'], one['path']) for one in holders] == [
        (10, 'geopmd', '/dev/cpu/7/msr_safe'),
        (10, 'geopmd', '/dev/cpu/msr_batch'),
        (11, '?', '/dev/cpu/msr_approved_list'),
    ]
