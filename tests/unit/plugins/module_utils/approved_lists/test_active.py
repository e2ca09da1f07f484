# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.active import (
    activate_list,
    read_active_list,
    read_installed_list,
    read_named_list,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError

INSTALLED = '/etc/msr-safe/approved_list'


def addresses(entries):
    return [entry.address for entry in entries]


def test_reads_the_list_in_force(node):
    assert addresses(read_active_list(node.machine)) == [0xC1, 0xCE, 0x1A0, 0x1A4, 0x1B1]


def test_a_fresh_module_has_the_empty_list(node):
    node.activate('')
    assert read_active_list(node.machine) == []


@pytest.mark.parametrize('device', ['/dev/cpu/msr_allowlist', '/dev/cpu/msr_whitelist'])
def test_reads_the_list_of_another_msr_safe(bare_node, device):
    bare_node.put(device, '# MSR # Write Mask # Comment\n0x00000010 0x0000000000000000\n')
    assert addresses(read_active_list(bare_node.machine)) == [0x10]


def test_without_a_module_it_says_what_to_do(bare_node):
    with pytest.raises(MsrSafeError, match='/dev/cpu/msr_approved_list is missing') as caught:
        read_active_list(bare_node.machine)
    assert 'systemctl start msr-safe' in str(caught.value)


def test_names_and_kinds_come_from_the_installed_list(node):
    named = {entry.address: (entry.name, entry.kind) for entry in read_named_list(node.machine)}
    assert named[0xC1] == ('IA32_PMC0', 'counter')
    assert named[0x1A0] == ('IA32_MISC_ENABLE', 'configuration')


def test_masks_come_from_the_kernel(node):
    node.put(INSTALLED, '0x1A0 0x1 # IA32_MISC_ENABLE\n')
    masks = {entry.address: entry.mask for entry in read_named_list(node.machine)}
    assert masks[0x1A0] == 0x4000000000


@pytest.mark.parametrize('text', [None, '', '\n'])
def test_without_an_installed_list_there_are_no_names(node, text):
    if text is None:
        node.remove(INSTALLED)
    else:
        node.put(INSTALLED, text)
    assert read_installed_list(node.machine) == []
    assert {entry.name for entry in read_named_list(node.machine)} == {''}


def test_activates_a_list(node):
    activate_list(node.machine, parse_list('0x1A4 0xF\n0x10 0\n', 'x'))
    assert node.active() == {0x10: 0, 0x1A4: 0xF}


def test_activates_the_empty_list(node):
    activate_list(node.machine, [])
    assert node.active() == {}


def test_several_writes_make_one_list(node):
    node.list_device.longest_write = 7
    activate_list(node.machine, parse_list('0x1A4 0xF\n0x10 0\n', 'x'))
    assert node.active() == {0x10: 0, 0x1A4: 0xF}


def test_a_list_that_the_kernel_refuses_leaves_the_old_one(node):
    before = node.active()
    node.list_device.refusal = errno.ENOMEM
    with pytest.raises(MsrSafeError) as caught:
        activate_list(node.machine, parse_list('0x10 0\n', 'x'))
    assert 'The kernel refused the list' in str(caught.value)
    assert 'Cannot allocate memory' in str(caught.value)
    assert node.active() == before


def test_without_permission_it_says_run_as_root(node, monkeypatch):
    monkeypatch.setattr('os.geteuid', lambda: 1000)
    node.list_device.refusal = errno.EACCES
    with pytest.raises(MsrSafeError, match=r'(?s)Permission denied.*root'):
        activate_list(node.machine, parse_list('0x10 0\n', 'x'))


def test_a_list_that_is_not_in_force_afterwards_is_an_error(node):
    node.list_device.another = '0x11 0x0\n'
    with pytest.raises(MsrSafeError, match='another list is active'):
        activate_list(node.machine, parse_list('0x10 0\n', 'x'))
