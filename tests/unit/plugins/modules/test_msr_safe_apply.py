# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.tree import pack_tree
from ansible_collections.hpc.msr_safe.plugins.modules import msr_safe_apply


@pytest.fixture
def machine(tmp_path, monkeypatch):
    machine = Machine(str(tmp_path))
    monkeypatch.setattr(msr_safe_apply, 'Machine', lambda: machine)
    return machine


def write(path, content, stage='install'):
    return {'stage': stage, 'action': 'write_file', 'title': 'write ' + path, 'path': path, 'content': content}


def options(*changes, **others):
    return dict({'changes': list(changes), 'verify': None, '_payloads': None}, **others)


def test_carries_out_changes_of_several_stages_in_order(machine):
    done = []
    changes = [write('/etc/a', 'one'), write('/etc/a', 'two', stage='boot')]
    assert msr_safe_apply.apply(options(*changes), False, done) == {'notes': []}
    assert done == ['install: write /etc/a', 'boot: write /etc/a']
    assert machine.read('/etc/a') == b'two'


def test_each_change_gets_what_was_sent_for_it(machine, tmp_path):
    deliver = {'stage': 'deliver', 'action': 'deliver_module', 'title': 'copy', 'path': '/var/lib/x.ko'}
    (tmp_path / 'sent').write_bytes(pack_tree({'1': b'the module'}))
    changes = options(write('/etc/a', ''), deliver, _payloads=str(tmp_path / 'sent'))
    msr_safe_apply.apply(changes, False, [])
    assert machine.read('/var/lib/x.ko') == b'the module'


def test_a_failure_names_its_stage_and_leaves_out_what_comes_after(machine, tmp_path):
    (tmp_path / 'etc').write_text('a file in the place of a directory')
    done, changes = [], [write('/x', ''), write('/etc/a', '', stage='permissions'), write('/y', '', stage='boot')]
    with pytest.raises(MsrSafeError, match=r'(?s)Stage permissions: Cannot write /etc/a.*after that is left undone'):
        msr_safe_apply.apply(options(*changes), False, done)
    assert done == ['install: write /x']
    assert machine.read('/y') is None


def test_check_mode_changes_nothing(machine):
    done = []
    msr_safe_apply.apply(options(write('/etc/a', '')), True, done)
    assert done == ['install: write /etc/a']
    assert machine.read('/etc/a') is None
