# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What an audit says: to people in a terminal, and to other programs."""

import json
from xml.etree import ElementTree

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.comparison import compare
from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.results import (
    findings_json,
    junit_xml,
    prometheus_text,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.summary import repairable, summarize
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.audit.paper import (
    POWER_LIMIT,
    WATTS_165,
    fleet,
    observed,
    record,
)

FILES = {'page': '/srv/index.html', 'limit': '/srv/drifted'}


@pytest.fixture
def audited():
    nodes = fleet(
        {
            'low': observed({POWER_LIMIT: {WATTS_165: '0-3'}}),
            'old': observed(kernel='5.10.0'),
            'gone': ('unreachable', 'no <route> "to" & host\x07'),
            'bare': dict(observed(module=None, approved_list=None), registers={}),
        },
        5,
    )
    run = record(nodes)
    return compare(run), run


def test_the_summary_ends_in_what_to_do(audited):
    text = summarize(*audited, FILES, '-i fleet.yml ')
    assert text.startswith('4 of 9 nodes differ')
    assert 'PL1_POWER_LIMIT 205 W -> 165 W' in text
    end = text[text.index('What to do') :]
    for words in (
        'hpc.msr_safe.site -i fleet.yml --limit @/srv/drifted --check --diff',
        'hpc.msr_safe.restore -i fleet.yml --limit @/srv/drifted --check --diff',
        'audit again: gone',
        'Kernel, firmware',
    ):
        assert words in end


def test_the_commands_can_be_pasted_into_a_shell(audited):
    text = summarize(*audited, dict(FILES, limit='/srv/all of 100%/drifted'), "-i '5% of it' ")
    assert "hpc.msr_safe.site -i '5% of it' --limit '@/srv/all of 100%/drifted' --check --diff" in text


def test_a_clean_fleet_has_nothing_to_do():
    run = record(fleet({}))
    assert summarize(compare(run), run, {'page': None, 'limit': None}).endswith('What to do\n  Nothing.')


def test_the_limit_names_whom_the_role_or_a_snapshot_can_help(audited):
    assert sorted(repairable(audited[0])) == ['bare', 'low']


def test_json_has_every_finding(audited):
    content = json.loads(findings_json(*audited))
    assert [each['category'] for each in content['findings']] == ['unreachable', 'missing', 'power', 'other']
    assert content['counts']['ok'] == 5


def test_junit_has_a_case_for_each_node_whatever_messages_hold(audited):
    suite = ElementTree.fromstring(junit_xml(*audited))
    assert suite.attrib['tests'] == '9' and len(suite) == 9
    by_name = {case.attrib['name']: case for case in suite}
    assert by_name['gone'].find('error').attrib['message'] == 'no <route> "to" & host?'
    assert 'unlike most equal nodes' in by_name['low'].find('failure').text
    assert len(by_name['n1']) == 0
    assert (suite.attrib['errors'], suite.attrib['failures']) == ('1', '3')


def test_a_node_that_was_not_compared_is_skipped_not_passed():
    run = record({'alone': observed()})
    suite = ElementTree.fromstring(junit_xml(compare(run), run))
    assert suite[0].find('skipped') is not None and suite.attrib['skipped'] == '1'


def test_prometheus_has_the_states_and_the_nodes_that_are_not_ok(audited):
    lines = prometheus_text(*audited).splitlines()
    assert 'msr_safe_audit_nodes{state="ok"} 5' in lines
    assert 'msr_safe_audit_category_nodes{category="power"} 1' in lines
    assert 'msr_safe_audit_node{node="low",state="drift"} 1' in lines
    assert 'msr_safe_audit_time_seconds 1795759200' in lines
    assert not [line for line in lines if 'node="n1"' in line]
