# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.kernel_module import (
    load_at_boot,
    load_module,
    observe_loaded_module,
    observe_signature_policy,
    unload_module,
)

SYSFS = '/sys/module/msr_safe/'
LOCKDOWN = '/sys/kernel/security/lockdown'
PATH = '/lib/modules/6.1.0/updates/msr-safe.ko'


def load(node, users=0):
    node.put(SYSFS + 'version', '2.0.0\n')
    node.put(SYSFS + 'srcversion', 'ABC\n')
    node.put(SYSFS + 'refcnt', '%s\n' % users)
    node.put(SYSFS + 'parameters/mdev_msr_batch', '240\n')
    node.put(SYSFS + 'parameters/mdev_msr_safe', '0\n')


def hold(node, pid, command, device):
    node.put('/proc/%d/comm' % pid, command + '\n')
    node.link('/proc/%d/fd/3' % pid, device)


def test_no_module_is_none(node):
    assert observe_loaded_module(node.machine) is None


def test_observes_the_loaded_module(node):
    load(node, users=2)
    assert observe_loaded_module(node.machine) == {
        'version': '2.0.0',
        'srcversion': 'ABC',
        'users': 2,
        'majors': {'msr_safe': 0, 'msr_batch': 240, 'msr_approved_list': 0, 'msr_safe_version': 0},
    }


def test_another_module_of_this_name_may_say_less(node):
    node.put(SYSFS + 'initstate', 'live\n')
    assert observe_loaded_module(node.machine) == {
        'version': None,
        'srcversion': None,
        'users': 0,
        'majors': {'msr_safe': 0, 'msr_batch': 0, 'msr_approved_list': 0, 'msr_safe_version': 0},
    }


@pytest.mark.parametrize('text', ['', 'many', '-1'])
def test_odd_counts_are_no_traceback(node, text):
    load(node)
    node.put(SYSFS + 'refcnt', text)
    node.put(SYSFS + 'parameters/mdev_msr_batch', text)
    assert isinstance(observe_loaded_module(node.machine)['users'], int)
    assert observe_loaded_module(node.machine)['majors']['msr_batch'] == 0


@pytest.mark.parametrize(
    'path, text, reason',
    [
        ('/sys/module/module/parameters/sig_enforce', 'N\n', None),
        ('/sys/module/module/parameters/sig_enforce', 'Y\n', 'sig_enforce'),
        ('/sys/kernel/security/lockdown', '[none] integrity confidentiality\n', None),
        ('/sys/kernel/security/lockdown', 'none [integrity] confidentiality\n', 'locked down'),
        ('/sys/kernel/security/lockdown', 'none integrity [confidentiality]\n', 'locked down'),
    ],
)
def test_knows_when_a_kernel_wants_signed_modules(node, path, text, reason):
    node.put(path, text)
    policy = observe_signature_policy(node.machine)
    assert policy is None if reason is None else reason in policy


def test_all_reasons_are_given(node):
    node.put('/sys/module/module/parameters/sig_enforce', 'Y\n')
    node.put(LOCKDOWN, 'none [integrity] confidentiality\n')
    policy = observe_signature_policy(node.machine)
    assert (
        policy
        == 'it enforces module signatures (sig_enforce) and is locked down (%s: none [integrity] confidentiality)'
        % LOCKDOWN
    )


def test_a_kernel_without_such_settings_loads_any_module(node):
    assert observe_signature_policy(node.machine) is None


def test_loads_by_modprobe(node):
    load_module(node.machine)
    assert node.ran() == ['modprobe msr_safe']


def test_a_load_that_fails_says_what_the_kernel_said(node):
    node.answers['modprobe'] = (1, 'modprobe: ERROR: could not insert: Device or resource busy\n')
    node.answers['dmesg'] = (0, '[1] other\n[2] msr_safe: mdev_msr_batch=240 is taken\n[3] other\n')
    with pytest.raises(MsrSafeError) as caught:
        load_module(node.machine)
    assert 'Device or resource busy' in str(caught.value)
    assert 'mdev_msr_batch=240 is taken' in str(caught.value)
    assert 'other' not in str(caught.value)


def test_a_load_that_fails_without_a_word(node):
    node.answers['modprobe'] = (1, '')
    with pytest.raises(MsrSafeError, match='nothing in the log'):
        load_module(node.machine)


@pytest.fixture
def refusing(node):
    """A node whose kernel loads signed modules only, and refuses ours, which a key signed that it does not know."""
    node.put('/sys/module/module/parameters/sig_enforce', 'Y\n')
    node.put('/proc/sys/kernel/osrelease', '6.1.0\n')
    node.answers['modprobe'] = (1, "modprobe: ERROR: could not insert 'msr_safe': Key was rejected by service\n")
    node.answers['modinfo -F filename msr_safe'] = (0, PATH + '\n')
    node.answers['modinfo -F signer msr_safe'] = (0, 'Site\n')
    said = '[1] msr_safe: an older line\n[2] Loading of module with unavailable key is rejected\n[3] eth0: link is up\n'
    node.answers['dmesg'] = (0, said)
    return node


def test_a_signature_that_the_kernel_does_not_trust_is_named_with_what_to_do(refusing):
    with pytest.raises(MsrSafeError) as caught:
        load_module(refusing.machine)
    what, remedy = caught.value.problem, caught.value.remedy
    assert 'Key was rejected by service. It loads signed modules only: it enforces module signatures' in what
    assert '%s is signed by "Site", whose certificate it does not trust.' % PATH in what
    assert 'mokutil --import' in remedy
    assert remedy.endswith('The kernel said: [2] Loading of module with unavailable key is rejected')


def test_lockdown_words_the_same_refusal_otherwise(refusing):
    refusing.put('/sys/module/module/parameters/sig_enforce', 'N\n')
    refusing.put(LOCKDOWN, 'none [integrity] confidentiality\n')
    refusing.answers['modprobe'] = (1, "modprobe: ERROR: could not insert 'msr_safe': Operation not permitted\n")
    restricted = '[9] Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7'
    refusing.answers['dmesg'] = (0, restricted + '\n')
    with pytest.raises(MsrSafeError) as caught:
        load_module(refusing.machine)
    assert 'Operation not permitted. It loads signed modules only: it is locked down' in caught.value.problem
    assert restricted in caught.value.remedy


def test_a_module_without_a_signature_is_called_so(refusing):
    refusing.answers['modinfo -F signer msr_safe'] = (0, '\n')
    with pytest.raises(MsrSafeError, match='%s is not signed.' % PATH):
        load_module(refusing.machine)


def test_another_refusal_of_such_a_kernel_has_nothing_to_do_with_signatures(refusing):
    refusing.answers['modprobe'] = (1, 'modprobe: ERROR: could not insert: Device or resource busy\n')
    with pytest.raises(MsrSafeError) as caught:
        load_module(refusing.machine)
    assert 'signed' not in str(caught.value)


def test_at_boot_the_signature_is_said_in_the_same_line(refusing):
    with pytest.raises(MsrSafeError) as caught:
        load_at_boot(refusing.machine)
    assert 'Kernel 6.1.0 does not load the module msr_safe' in str(caught.value)
    assert 'is signed by "Site", whose certificate it does not trust' in str(caught.value)
    assert 'no user may use registers' in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_unloads_by_modprobe(node):
    load(node)
    unload_module(node.machine)
    assert node.ran() == ['modprobe -r msr_safe']


def test_a_module_in_use_stays_and_names_its_holders(node):
    load(node, users=1)
    hold(node, 4242, 'geopmd', '/dev/cpu/msr_batch')
    hold(node, 77, 'bash', '/dev/tty1')
    with pytest.raises(MsrSafeError) as caught:
        unload_module(node.machine)
    assert 'geopmd (pid 4242) has /dev/cpu/msr_batch open' in str(caught.value)
    assert 'bash' not in str(caught.value)
    assert node.commands == []


def test_holders_that_cannot_be_seen_are_said_so(node):
    load(node, users=1)
    with pytest.raises(MsrSafeError, match='no process of /proc has a device open'):
        unload_module(node.machine)


def test_an_unload_that_fails_says_what_the_kernel_said(node):
    load(node)
    node.answers['modprobe'] = (1, 'modprobe: FATAL: Module msr_safe is in use.\n')
    with pytest.raises(MsrSafeError, match='Module msr_safe is in use'):
        unload_module(node.machine)
