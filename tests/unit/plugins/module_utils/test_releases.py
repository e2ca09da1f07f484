# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What every release wrote is read by this one: tests/unit/releases, made by tests/tools/release_fixtures.py."""

import json
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.header import require_this_cpu
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands.msrsave import main
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.registers.of_cpu import registers_of
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import MISC_ENABLE

SKYLAKE = {'vendor': 'GenuineIntel', 'family': 6, 'model': 85}
MILAN = {'vendor': 'AuthenticAMD', 'family': 25, 'model': 1}

RELEASES = os.path.join(os.path.dirname(__file__), '..', '..', 'releases')

each_release = pytest.mark.parametrize('release', sorted(os.listdir(RELEASES)))


def read(release, name):
    with open(os.path.join(RELEASES, release, name), encoding='utf-8') as stream:
        return stream.read()


def test_there_are_releases():
    assert os.listdir(RELEASES)


@each_release
def test_a_snapshot_is_restored(node, release, capsys):
    node.put('/root/snapshot.json', read(release, 'snapshot.json'))
    held = json.loads(read(release, 'registers.json'))
    for cpu, address, value in held:
        node.registers[cpu, address] = ~int(value, 16) & 0xFFFFFFFFFFFFFFFF
    status = main(['-r', '/root/snapshot.json'], node.machine)
    said = capsys.readouterr().err
    # What could not be read when it was saved cannot be restored, and is said
    assert status == 3 and 'MSR_MISC_FEATURE_CONTROL on CPU 3: not in the snapshot' in said, said
    assert said.count(' on CPU ') == 1
    assert {address for _cpu, address, _value in held} >= {MISC_ENABLE}
    masks = {entry.address: entry.mask for entry in parse_list(node.get('/etc/msr-safe/approved_list'), 'x')}
    for cpu, address, value in held:
        assert node.registers[cpu, address] & masks[address] == int(value, 16) & masks[address]


@each_release
def test_a_list_is_read_with_its_names_and_kinds(release):
    entries = parse_list(read(release, 'approved_list'), 'al_0655')
    named = {entry.address: entry.name for entry in entries}
    assert named[MISC_ENABLE] == 'IA32_MISC_ENABLE'
    assert len(entries) > 100
    assert all(entry.name for entry in entries)
    assert 'counter' in {entry.kind for entry in registers_of(SKYLAKE).complete(entries)}


@each_release
def test_a_list_is_taken_by_the_cpu_that_it_is_for_and_no_other(release):
    text = read(release, 'approved_list')
    entries = parse_list(text, 'al_0655')
    require_this_cpu(text, entries, 'al_0655', SKYLAKE, registers_of(SKYLAKE))
    with pytest.raises(MsrSafeError):
        require_this_cpu(text, entries, 'al_0655', MILAN, registers_of(MILAN))
