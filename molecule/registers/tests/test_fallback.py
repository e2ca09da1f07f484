# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that have less than ours, or another msr-safe's devices: it works, slower and saying so, or says why not."""

import json

import pytest
from steps import does, does_as_predicted, predicts, shell

testinfra_hosts = ['ssh://skylake']

TURBO_OFF = 1 << 38
PATH = '/root/fallback.json'
DISABLE_TURBO = {'register': 'MISC_ENABLE', 'field': 'TURBO_MODE_DISABLE', 'value': True, 'cpus': '1'}


@pytest.fixture
def without_batch(hidden):
    with hidden('/dev/cpu/msr_batch'):
        yield


def test_without_the_batch_device_it_works_and_says_so(on_node, host, rdmsr, without_batch):
    slowly = {'warnings': ['/dev/cpu/msr_batch is missing']}
    before = rdmsr(1)
    saved, changed, value, restored, read, observed = on_node(
        does('msr_save', path=PATH, overwrite=True, **slowly),
        does('msr', **DISABLE_TURBO, **slowly),
        shell('rdmsr -p 1 0x1A0'),
        does('msr_restore', path=PATH, **slowly),
        does('msr_info', registers=['MISC_ENABLE'], **slowly),
        does('msr_safe_info'),
    )
    for answer in (saved, changed, restored, read):
        assert answer.succeeded
        assert 'which is slower' in answer['warnings'][0]
    assert int(value, 16) == before | TURBO_OFF
    assert [row['cpus'] for row in restored['restored']] == ['1']
    assert rdmsr(1) == before
    assert observed['msr_safe']['access'] == 'cpu_devices'
    assert 'msrsave: warning: /dev/cpu/msr_batch is missing' in host.run(f'msrsave -r {PATH}').stderr


@pytest.mark.slow
def test_it_reads_the_same_values_without_the_batch_device(host, hidden):
    host.run_expect([0], 'msrsave --kind configuration --overwrite /root/quick.json')
    with hidden('/dev/cpu/msr_batch'):
        host.run_expect([0], 'msrsave --kind configuration --overwrite /root/slow.json')
    quick, slow = (json.loads(host.file(f'/root/{name}.json').content_string) for name in ('quick', 'slow'))
    assert quick['registers'] == slow['registers']


@pytest.mark.parametrize('name', ['msr_allowlist', pytest.param('msr_whitelist', marks=pytest.mark.slow)])
def test_another_msr_safes_list_device(on_node, hidden, snapshot, name):
    with hidden('/dev/cpu/msr_approved_list', f'/dev/cpu/{name}'):
        saved, changed, restored, observed = on_node(
            does_as_predicted('msr_save', path=PATH, overwrite=True),
            does_as_predicted('msr', **DISABLE_TURBO),
            does_as_predicted('msr_restore', path=snapshot),
            does('msr_safe_info'),
        )
    assert saved.succeeded
    assert changed['changed']
    assert [row['cpus'] for row in restored['restored']] == ['1']
    assert observed['msr_safe']['approved_list']['device'] == f'/dev/cpu/{name}'


@pytest.mark.slow
def test_without_the_roles_list_counters_are_still_known(on_node, host, hidden):
    with hidden('/etc/msr-safe/approved_list', '/root/hidden_list'):
        assert on_node(predicts('msr_save', path=PATH, registers=['PMC0', 'MISC_ENABLE'], overwrite=True)).succeeded
    registers = json.loads(host.file(PATH).content_string)['registers'].values()
    assert {(each['name'], each['kind']) for each in registers} == {
        ('IA32_PMC0', 'counter'),
        ('IA32_MISC_ENABLE', 'configuration'),
    }


@pytest.fixture
def stock_driver_only(host):
    host.run_expect([0], 'systemctl stop msr-safe && rmmod msr_safe && modprobe msr && udevadm settle')
    yield
    host.run_expect([0], 'rmmod msr; systemctl restart msr-safe && udevadm settle')


def test_the_stock_driver_alone_is_refused(on_node, host, stock_driver_only):
    *refused, observed = on_node(
        does('msr_save', path=PATH),
        does('msr_restore', path=PATH),
        does('msr', **DISABLE_TURBO),
        does('msr_info', registers=['MISC_ENABLE']),
        does('msr_safe_info'),
    )
    for answer in refused:
        assert not answer.succeeded
        assert "the kernel's own msr driver only" in answer['msg']
        assert 'role hpc.msr_safe.msr_safe' in answer['msg']
    said = host.run(f'msrsave {PATH}')
    assert said.rc == 1
    assert 'role hpc.msr_safe.msr_safe' in said.stderr
    assert observed['msr_safe']['access'] is None
