# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""msr-safe policy, as an administrator and the boot of a node call it."""

import json

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands.msr_safe import main
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import POLICY
from ansible_collections.hpc.msr_safe.plugins.module_utils.policy.policy_file import policy_text
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import MISC_ENABLE, TURBO_OFF

STATEMENTS = [{'control': 'turbo', 'value': False}]


@pytest.fixture
def run(node, capsys):
    """Run msr-safe policy on the node; return (exit status, what it printed, its errors)."""

    def run_command(*arguments):
        status = main(['policy', *arguments], node.machine)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run_command


def test_a_node_without_a_policy_says_so_and_boots(run, node):
    for arguments in ((), ('apply',)):
        status, out, _err = run(*arguments)
        assert status == 0 and 'has no policy' in out
    assert node.batches == []


def test_differences_are_shown_with_an_exit_status_and_nothing_is_written(run, node):
    node.put(POLICY, policy_text(STATEMENTS))
    status, out, _err = run()
    assert status == 3
    assert 'TURBO_MODE_DISABLE 1' in out and 'on CPU 0-3' in out
    assert node.register(MISC_ENABLE) == 0


def test_apply_makes_registers_hold_it_once(run, node):
    node.put(POLICY, policy_text(STATEMENTS))
    status, out, _err = run('apply')
    assert status == 0 and 'Hold now:' in out
    assert all(node.register(MISC_ENABLE, cpu) == TURBO_OFF for cpu in range(4))
    for arguments in ((), ('apply',)):
        assert run(*arguments) == (0, 'The registers hold the policy.\n', '')


def test_programs_read_it_as_json(run, node):
    node.put(POLICY, policy_text(STATEMENTS))
    status, out, _err = run('--json')
    content = json.loads(out)
    assert status == 3 and content['policy'] is True
    assert content['changes'][0]['name'] == 'IA32_MISC_ENABLE'


def test_what_is_not_for_this_node_is_said(run, node):
    node.put(POLICY, policy_text([{'control': 'maximum_frequency', 'value': '2 GHz'}]))
    node.put('/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver', 'intel_pstate\n')
    status, out, _err = run('apply')
    assert status == 0 and 'intel_pstate owns' in out


@pytest.mark.parametrize(
    'text', ['{', '[]', '{"policy": [{"control": "turbp", "value": 1}]}', '{"policy": 3}', '[' * 10**5]
)
def test_a_damaged_file_is_an_error_that_names_it(run, node, text):
    node.put(POLICY, text)
    status, _out, err = run('apply')
    assert status == 1
    assert POLICY in err and 'Traceback' not in err
    assert node.register(MISC_ENABLE) == 0


def test_a_register_that_does_not_take_it_fails_the_boot(run, node):
    node.put(POLICY, policy_text(STATEMENTS))
    node.stuck.add(MISC_ENABLE)
    status, _out, err = run('apply')
    assert status == 1 and 'did not take the value' in err
