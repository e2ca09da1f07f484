# SPDX-License-Identifier: GPL-3.0-or-later
"""A list that hands out the machine: refused by command, module and role; allowed by naming its address."""

import json

import pytest
import yaml
from steps import does, role, shell

testinfra_hosts = ['ssh://skylake']

LISTS = {
    'LSTAR': ('0xC0000082', 'ring 0'),
    'PEBS': ('0x000003F1', 'crash the kernel'),
    'microcode': ('0x00000079', 'loads microcode'),
}

SHOW = 'msr-safe show --json'


def addresses_in(shown):
    return [entry['address'] for entry in json.loads(shown)]


@pytest.fixture
def active(host):
    """Return a function that says which addresses are on the active list; bring back what was active."""
    yield lambda: addresses_in(host.check_output(SHOW))
    host.run_expect([0], 'msr-safe load')


@pytest.mark.parametrize('danger', LISTS)
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


@pytest.mark.parametrize(
    'danger', ['LSTAR', *(pytest.param(name, marks=pytest.mark.slow) for name in ('PEBS', 'microcode'))]
)
def test_by_the_module(on_node, active, danger):
    address, reason = LISTS[danger]
    before = active()
    options = {'content': f'{address} 0xFFFFFFFFFFFFFFFF\n', 'persist': False}
    refused, after_refusal, allowed = on_node(
        does('msr_approved_list', **options),
        shell(SHOW),
        does('msr_approved_list', allow_unsafe=[address], warnings=['Allowed by msr_safe_allow_unsafe'], **options),
    )
    assert not refused.succeeded
    assert f'content:1: {address}' in refused['msg']
    assert reason in refused['msg']
    assert addresses_in(after_refusal) == before
    assert allowed.succeeded
    assert active() == [address]


def test_by_the_role_and_again_at_boot(request, on_node, active, tmp_path):
    settings = yaml.safe_load((request.path.parent.parent / 'settings.yml').read_text())
    before = active()
    addresses = [address for address, _reason in LISTS.values()]
    (tmp_path / 'al_0655').write_text(''.join(f'{address} 0x1\n' for address in addresses))
    dangerous = {**settings, 'msr_safe_approved_list_directories': [str(tmp_path)]}
    refused, after_refusal, allowed, after_role, _boot, after_boot, brought_back = on_node(
        role(**dangerous),
        shell(SHOW),
        role(msr_safe_allow_unsafe=addresses, **dangerous),
        shell(SHOW),
        shell('msr-safe clear && systemctl restart msr-safe'),
        shell(SHOW),
        role(**settings),
    )
    (refusal,) = (answer for answer in refused if not answer.succeeded)
    for address, reason in LISTS.values():
        assert address in refusal['msg']
        assert reason in refusal['msg']
    assert addresses_in(after_refusal) == before
    assert all(answer.succeeded for answer in allowed)
    assert addresses_in(after_role) == addresses_in(after_boot) == sorted(addresses)
    assert all(answer.succeeded for answer in brought_back)
    assert active() == before
