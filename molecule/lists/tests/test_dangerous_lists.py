# SPDX-License-Identifier: GPL-3.0-or-later
"""A list that hands out the machine: refused by command, module and role; allowed by naming its address."""

import json

import pytest

testinfra_hosts = ['ssh://skylake']

LISTS = {
    'LSTAR': ('0xC0000082', 'ring 0'),
    'PEBS': ('0x000003F1', 'crash the kernel'),
    'microcode': ('0x00000079', 'loads microcode'),
}

every_danger = pytest.mark.parametrize('danger', LISTS)


@pytest.fixture
def active(host):
    """Return a function that says which addresses are on the active list; bring back what was active."""
    yield lambda: [entry['address'] for entry in json.loads(host.check_output('msr-safe show --json'))]
    host.run_expect([0], 'msr-safe load')


@every_danger
def test_by_the_command(host, active, danger):
    address, reason = LISTS[danger]
    before = active()
    host.run_expect([0], f'echo {address} 0xFFFFFFFFFFFFFFFF > /root/dangerous')
    refused = host.run('msr-safe load /root/dangerous')
    assert refused.rc == 1
    assert f'/root/dangerous:1: {address}' in refused.stderr
    assert reason in refused.stderr
    assert active() == before
    host.run_expect([0], f'msr-safe load /root/dangerous --allow-unsafe {address}')
    assert active() == [address]


@every_danger
def test_by_the_module(module, active, danger):
    address, reason = LISTS[danger]
    before = active()
    options = {'content': f'{address} 0xFFFFFFFFFFFFFFFF\n', 'persist': False}
    refused = module('msr_approved_list', **options)
    assert not refused.succeeded
    assert f'content:1: {address}' in refused.output
    assert reason in refused.output
    assert active() == before
    assert module('msr_approved_list', allow_unsafe=[address], **options).succeeded
    assert active() == [address]


def test_by_the_role_and_again_at_boot(host, playbook, active, tmp_path):
    before = active()
    (tmp_path / 'al_0655').write_text(''.join(f'{address} 0x1\n' for address, _reason in LISTS.values()))
    settings = {'msr_safe_approved_list_directories': [str(tmp_path)]}
    refused = playbook('site', **settings)
    assert not refused.succeeded
    for address, reason in LISTS.values():
        assert address in refused.output
        assert reason in refused.output
    assert active() == before

    addresses = [address for address, _reason in LISTS.values()]
    assert playbook('site', msr_safe_allow_unsafe=addresses, **settings).succeeded
    assert active() == sorted(addresses)
    host.run_expect([0], 'msr-safe clear && systemctl restart msr-safe')
    assert active() == sorted(addresses)

    assert playbook('site').succeeded
    assert active() == before
