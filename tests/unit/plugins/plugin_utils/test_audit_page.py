# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The page of an audit as text; tests/browser looks at it with a browser."""

import json
import re

import pytest

pytest.importorskip('jinja2')

from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.kept import kept_runs
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.audit import audit, record
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.audit.paper import (
    POWER_LIMIT,
    WATTS_165,
    fleet,
    observed,
)

HOSTILE = '</script><img src=x onerror=alert(1)>'


def results(nodes):
    return {
        name: {'unreachable': True, 'msg': 'Task failed: ' + each[1]}
        if isinstance(each, tuple)
        else {'observation': each, 'equal': {'partition': 'batch'}}
        for name, each in nodes.items()
    }


@pytest.fixture
def settings(tmp_path):
    return {'directory': str(tmp_path / 'out'), 'title': HOSTILE, 'baseline': None, 'keep': 3, 'keep_days': 0}


def run_audit(settings, nodes, when='2026-11-27T06:00:00Z', write=True):
    return audit(Machine(), record(results(nodes), when), settings, write)


def page_of(settings):
    with open(settings['directory'] + '/index.html') as stream:
        return stream.read()


DRIFTED = {
    'low': observed({POWER_LIMIT: {WATTS_165: '0-3'}}),
    'gone': ('unreachable', 'no route'),
    HOSTILE: observed(kernel=HOSTILE),
}


def test_the_page_needs_nothing_else_and_runs_nothing_that_a_node_says(settings):
    run_audit(settings, fleet(DRIFTED, 5))
    page = page_of(settings)
    assert not re.search(r'(?:src|href)\s*=\s*["\']?(?:https?:)?//', page)
    assert not re.search(r'url\(|@import', page)
    assert '<img' not in page
    assert page.count('</script>') == 2
    assert "default-src 'none'" in page


def test_its_data_has_every_node_with_its_findings(settings):
    run_audit(settings, fleet(DRIFTED, 5))
    data = json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page_of(settings)).group(1)
    )
    by_name = {node[0]: node for node in data['nodes']}
    assert sorted(by_name) == sorted(['gone', 'low', HOSTILE, 'n1', 'n2', 'n3', 'n4', 'n5'])
    texts = [data['findings'][number][3] for number in by_name['low'][4]]
    assert texts == ['MSR_PKG_POWER_LIMIT: PL1_POWER_LIMIT 205 W -> 165 W']
    assert data['states'][by_name['gone'][2]] == 'down'
    assert ['MSR_PKG_POWER_LIMIT', '0x610'] in [reading[:2] for reading in data['readings']]


@pytest.mark.parametrize(
    'odd, playbooks',
    [
        (observed({POWER_LIMIT: {WATTS_165: '0-3'}}), ['restore']),
        (observed(module=None, approved_list=None, registers={}), ['site']),
        (observed(kernel='5.10.0'), []),
    ],
)
def test_what_is_to_be_done_is_what_would_help(settings, odd, playbooks):
    run_audit(settings, fleet({'odd': odd}))
    assert re.findall(r'<code>ansible-playbook hpc\.msr_safe\.([a-z]+) ', page_of(settings)) == playbooks


def test_the_limit_is_there_while_there_is_something_to_repair(settings, tmp_path):
    _comparison, _run, files = run_audit(settings, fleet(DRIFTED, 5))
    with open(files['limit']) as stream:
        assert stream.read() == 'low\n'
    _comparison, _run, files = run_audit(settings, fleet({}), '2026-11-28T06:00:00Z')
    assert files['limit'] is None
    assert not (tmp_path / 'out' / 'drifted').exists()


def test_runs_are_kept_and_told_as_history_and_one_that_is_damaged_is_named(settings):
    for day in range(1, 6):
        _comparison, _run, files = run_audit(settings, fleet(DRIFTED, 5), '2026-11-%02dT06:00:00Z' % day)
        assert files['warnings'] == []
    kept = kept_runs(Machine(), settings['directory'])
    assert [path.rpartition('/')[2][:10] for path in kept] == ['2026-11-03', '2026-11-04', '2026-11-05']
    with open(kept[0], 'w') as stream:
        stream.write('{')
    _comparison, _run, files = run_audit(settings, fleet({}, 5), '2026-11-06T06:00:00Z')
    assert kept[0] in files['warnings'][0]
    assert 'The last 3 audits' in page_of(settings)


def test_a_silent_node_is_shown_where_it_was_found_before(settings):
    run_audit(settings, fleet({'gone': observed()}))
    assert 'Nodes never observed' not in visible(page_of(settings))
    run_audit(settings, fleet({'gone': ('unreachable', 'no route')}), '2026-11-28T06:00:00Z')
    assert 'Nodes never observed' not in visible(page_of(settings))
    run_audit(settings, fleet({'new': ('unreachable', 'no route')}), '2026-11-29T06:00:00Z')
    assert 'Nodes never observed' in visible(page_of(settings))


def visible(page):
    return page.partition('<script type=')[0]


def test_check_mode_compares_and_writes_nothing(settings, tmp_path):
    comparison, _run, files = run_audit(settings, fleet(DRIFTED, 5), write=False)
    assert comparison.counts['drift'] == 1
    assert files['page'] is None and not (tmp_path / 'out').exists()


def test_a_baseline_that_is_none_is_an_error_before_anything_is_written(settings, tmp_path):
    (tmp_path / 'other.json').write_text('{}')
    with pytest.raises(MsrSafeError):
        run_audit(dict(settings, baseline=str(tmp_path / 'other.json')), fleet({}))
    assert not (tmp_path / 'out').exists()


MISSING = object()


def damaged(place, thing):
    """Return an observation in which something is another thing, or is not there."""
    observation = observed()
    *way, key = place
    holder = observation
    for each in way:
        holder = holder[each]
    holder[key] = thing
    if thing is MISSING:
        del holder[key]
    return observation


@pytest.mark.parametrize(
    'place, thing',
    [
        (['cpu'], None),
        (['cpu'], MISSING),
        (['module'], MISSING),
        (['cpu', 'family'], '6'),
        (['cpu', 'microcode'], 1),
        (['cpu', 'online'], '0-x'),
        (['packages'], [None]),
        (['module', 'version'], []),
        (['approved_list', 'registers'], None),
        (['deferred'], [{'what': 'load'}]),
        (['registers'], []),
        (['registers', POWER_LIMIT], [{}]),
        (['registers', POWER_LIMIT, 1], None),
        (['registers', POWER_LIMIT, 0, 'many'], '0-3'),
        (['registers', POWER_LIMIT, 0, WATTS_165], ['0-3']),
        (['registers', 'here'], [{}, {}]),
    ],
)
def test_a_node_with_a_malformed_answer_is_a_finding_and_no_end(settings, place, thing):
    comparison, _run, _files = run_audit(settings, fleet({'odd': damaged(place, thing)}))
    assert comparison.counts['ok'] == 3
    (finding,) = comparison.findings
    assert finding.nodes == ['odd'] and finding.text.startswith('could not be observed: ')
