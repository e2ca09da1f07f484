# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What an audit finds, and what it does not."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.comparison import compare
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.audit.paper import (
    MISC_ENABLE,
    POWER_LIMIT,
    PREFETCHERS,
    WATTS_165,
    WATTS_205,
    findings,
    fleet,
    observed,
    record,
)


def states(nodes, **options):
    return compare(record(nodes), **options).states


def test_a_clean_fleet_has_no_finding():
    assert findings(fleet({})) == []
    assert set(states(fleet({})).values()) == {'ok'}


@pytest.mark.parametrize(
    'registers, category, text',
    [
        ({POWER_LIMIT: {WATTS_165: '0-3'}}, 'power', 'MSR_PKG_POWER_LIMIT: PL1_POWER_LIMIT 205 W -> 165 W'),
        (
            {POWER_LIMIT: {WATTS_205: '0-1', WATTS_165: '2-3'}},
            'power',
            'MSR_PKG_POWER_LIMIT: PL1_POWER_LIMIT 205 W -> 165 W on package 1',
        ),
        (
            {MISC_ENABLE: {'0x0000000000850089': '0,2-3', '0x0000004000850089': '1'}},
            'power',
            'IA32_MISC_ENABLE: TURBO_MODE_DISABLE 0 -> 1 on CPU 1',
        ),
        (
            {PREFETCHERS: {'0x0000000000000001': '0-3'}},
            'prefetchers',
            'MSR_MISC_FEATURE_CONTROL: L2_HW_PREFETCHER_DISABLE 0 -> 1',
        ),
        ({POWER_LIMIT: {'0x8000000000158668': '0-3'}}, 'lock', 'MSR_PKG_POWER_LIMIT: LOCK 0 -> 1'),
        # Bits that are no field of ours, of a register that is about much else than power
        ({MISC_ENABLE: {'0x0000000000850289': '0-3'}}, 'other', 'IA32_MISC_ENABLE: bit 9 0 -> 1'),
    ],
)
def test_a_register_that_differs_is_decoded_and_put_into_its_category(registers, category, text):
    assert findings(fleet({'odd': observed(registers)})) == [(category, text, 'odd')]


@pytest.mark.parametrize(
    'changes, category, text',
    [
        ({'kernel': '5.10.0'}, 'other', 'kernel: 6.1.0-18-amd64 -> 5.10.0'),
        ({'bios': 'AMI 3.1'}, 'other', 'BIOS: AMI 3.4 10/30/2024 -> AMI 3.1'),
        ({'cpufreq': 'acpi-cpufreq'}, 'power', 'frequency driver: intel_pstate -> acpi-cpufreq'),
        (
            {'approved_list': {'sha256': 'cd' * 32, 'registers': 95, 'writable': 40, 'installed': True}},
            'list',
            'approved list: 98 registers (abababab) -> 95 registers (cdcdcdcd)',
        ),
        (
            {'module': {'version': '1.7.0', 'ours': False}},
            'other',
            'msr-safe: 2.0.0 -> 1.7.0, not installed by the role',
        ),
    ],
)
def test_what_else_differs_is_found(changes, category, text):
    assert findings(fleet({'odd': observed(**changes)})) == [(category, text, 'odd')]


@pytest.mark.parametrize(
    'changes, text',
    [
        ({'module': None, 'approved_list': None}, 'no msr-safe is loaded'),
        (
            {'module': None, 'approved_list': None, 'stock_driver': True},
            "no msr-safe is loaded, only the kernel's own msr driver",
        ),
        (
            {'approved_list': {'sha256': 'cd' * 32, 'registers': 0, 'writable': 0, 'installed': False}},
            'msr-safe is loaded, without an approved list',
        ),
    ],
)
def test_a_node_without_msr_safe_is_one_finding_however_many_registers_it_lacks(changes, text):
    odd = observed(**changes)
    odd['registers'] = {}
    assert findings(fleet({'odd': odd})) == [('missing', text, 'odd')]


def test_a_list_that_is_not_that_of_the_node_is_found_also_where_nobody_is_equal():
    odd = observed(approved_list={'sha256': 'cd' * 32, 'registers': 5, 'writable': 0, 'installed': False})
    text = 'the approved list in force is not that of /etc/msr-safe/approved_list'
    assert findings({'odd': odd}) == [('list', text, 'odd')]


def test_a_node_that_does_not_answer_is_a_finding_and_its_name_does_not_split_it():
    nodes = fleet({name: ('unreachable', 'ssh: connect to %s: no route' % name) for name in ('n8', 'n9')})
    assert findings(nodes) == [('unreachable', 'ssh: connect to the node: no route', 'n[8-9]')]
    assert states(nodes)['n8'] == 'down'


def test_equal_findings_of_many_nodes_are_one_and_what_costs_most_is_first():
    nodes = fleet({'a%03d' % number: observed({POWER_LIMIT: {WATTS_165: '0-3'}}) for number in range(1, 118)}, 200)
    nodes['b1'] = observed(kernel='5.10.0')
    nodes['b2'] = ('failed', 'Permission denied')
    nodes['b3'] = observed({PREFETCHERS: {'0x000000000000000f': '0-3'}})
    found = findings(nodes)
    assert [category for category, _text, _nodes in found] == ['unreachable', 'power', 'prefetchers', 'other']
    assert found[1][2] == 'a[001-117]'


def test_without_a_majority_both_sides_are_named():
    nodes = {'n1': observed(), 'n2': observed({POWER_LIMIT: {WATTS_165: '0-3'}})}
    text = 'MSR_PKG_POWER_LIMIT: PL1_POWER_LIMIT is 205 W on n1, 165 W on n2'
    assert findings(nodes) == [('power', text, 'n[1-2]')]
    nodes = {'n1': observed(), 'n2': observed(kernel='5.10.0')}
    assert findings(nodes) == [('other', 'kernel: 6.1.0-18-amd64 on n1, 5.10.0 on n2', 'n[1-2]')]


def test_a_node_that_is_like_no_other_is_not_said_to_be_right():
    comparison = compare(record({'n1': observed()}))
    assert comparison.states == {'n1': 'unchecked'}
    assert 'Not checked' in comparison.notes[0][0]


def test_nodes_are_equal_where_processor_packages_and_what_the_site_says_are():
    odd = observed({POWER_LIMIT: {WATTS_165: '0-3'}})
    nodes = fleet({'odd': odd, 'odd2': odd})
    assert findings(nodes, {'odd': {'partition': 'tuning'}, 'odd2': {'partition': 'tuning'}}) == []
    other = dict(odd, cpu=dict(odd['cpu'], stepping=7))
    assert findings(fleet({'odd': other, 'odd2': other})) == []
    other = dict(odd, packages=['0-3'])
    assert findings(fleet({'odd': other, 'odd2': other})) == []


def test_what_moves_by_nature_stays_out():
    moving = {
        '0x00000199': {'0x0000000000001500': '0-3'},  # the frequency that is asked for
        '0x00000186': {'0x00000000004100c0': '0-3'},  # an event that is counted
        '0x0000019C': {'0x0000000088300000': '0-3'},  # a temperature
    }
    still = {address: {'0x0000000000000000': '0-3'} for address in moving}
    nodes = {'n%d' % number: observed(still) for number in range(1, 4)}
    nodes['odd'] = observed(moving)
    assert findings(nodes) == []
    nodes['odd'] = observed({'0x00000199': {'0x0000000100001500': '0-3'}})
    assert findings(nodes) == [('power', 'IA32_PERF_CTL: TURBO_DISABLE 0 -> 1', 'odd')]


def test_a_cpu_that_is_offline_is_one_finding():
    odd = observed()
    odd['cpu']['online'], odd['packages'] = '0-2', ['0-1', '2']
    for readings in odd['registers'].values():
        readings[0] = dict.fromkeys(readings[0], '0-2')
    assert findings(fleet({'odd': odd})) == [('power', 'CPUs online: 0-3 -> 0-2', 'odd')]


def test_a_register_that_cannot_be_read_is_a_finding():
    odd = observed()
    odd['registers'][MISC_ENABLE] = [{'0x0000000000850089': '0-2'}, {'CPU is offline': '3'}]
    text = 'IA32_MISC_ENABLE: readable -> CPU is offline on CPU 3'
    assert findings(fleet({'odd': odd})) == [('unread', text, 'odd')]


def test_an_earlier_run_tells_what_a_whole_fleet_has_lost():
    low = {name: observed({POWER_LIMIT: {WATTS_165: '0-3'}}) for name in ('n1', 'n2', 'n3')}
    comparison = compare(record(low), baseline=record(fleet({})))
    assert [(finding.source, finding.text) for finding in comparison.findings] == [
        ('baseline', 'MSR_PKG_POWER_LIMIT: PL1_POWER_LIMIT 205 W -> 165 W')
    ]
    assert compare(record(fleet({})), baseline=record(fleet({}))).findings == []


def test_what_differs_from_an_earlier_run_is_said_once_although_equal_nodes_differ_too():
    nodes = fleet({'odd': observed({POWER_LIMIT: {WATTS_165: '0-3'}})})
    comparison = compare(record(nodes), baseline=record(fleet({'odd': observed()})))
    assert [(finding.source, finding.nodes) for finding in comparison.findings] == [('baseline', ['odd'])]


def test_a_register_without_a_name_is_compared_by_its_bits():
    nodes = {'n%d' % number: observed({'0x00031337': {'0x0000000000000010': '0-3'}}) for number in range(1, 4)}
    nodes['odd'] = observed({'0x00031337': {'0x0000000000000020': '0-3'}})
    assert findings(nodes) == [('other', '0x31337: bits 5:4 1 -> 2', 'odd')]


# The policy

LIMIT = [{'control': 'package_power_limit', 'value': '165 W'}]


def with_power_info(**changes):
    return observed({'0x00000614': {'0x0000000001500668': '0-3'}}, **changes)


def compared(nodes, policy):
    comparison = compare(record(nodes, policy=policy))
    return comparison, [(finding.category, finding.source, finding.text) for finding in comparison.findings]


def test_the_policy_finds_what_the_whole_fleet_has_wrong():
    nodes = {'n%d' % number: with_power_info() for number in range(1, 4)}
    comparison, found = compared(nodes, LIMIT)
    assert found == [('power', 'policy', 'MSR_PKG_POWER_LIMIT: PL1_POWER_LIMIT 165 W -> 205 W')]
    assert set(comparison.states.values()) == {'drift'}
    assert compared(nodes, [{'control': 'package_power_limit', 'value': '205 W'}])[1] == []


def test_who_is_as_the_policy_says_does_not_differ_whatever_the_others_hold():
    nodes = {'n%d' % number: with_power_info() for number in range(1, 4)}
    right = with_power_info()
    right['registers'][POWER_LIMIT] = [{WATTS_165: '0-3'}, {}]
    comparison, _found = compared(dict(nodes, right=right), LIMIT)
    assert comparison.states['right'] == 'ok'


def test_bits_that_the_policy_says_nothing_of_are_compared_with_equal_nodes():
    nodes = {'n%d' % number: with_power_info() for number in range(1, 4)}
    locked = with_power_info()
    locked['registers'][POWER_LIMIT] = [{'0x8000000000158668': '0-3'}, {}]
    policy = [{'control': 'package_power_limit', 'value': '205 W'}]
    assert compared(dict(nodes, locked=locked), policy)[1] == [('lock', 'majority', 'MSR_PKG_POWER_LIMIT: LOCK 0 -> 1')]


def test_a_single_node_is_checked_by_a_policy():
    comparison, found = compared({'n1': observed()}, [{'control': 'turbo', 'value': 'on'}])
    assert (found, comparison.states) == ([], {'n1': 'ok'})


def test_what_the_kernel_owns_or_the_cpu_has_not_is_a_note_and_no_finding():
    policy = [{'control': 'maximum_frequency', 'value': '2 GHz'}, {'register': 'HWCR', 'field': 'X', 'value': 1}]
    comparison, found = compared(fleet({}), policy)
    assert found == []
    texts = ' '.join(text for text, _nodes in comparison.notes)
    assert 'intel_pstate owns' in texts and 'no register HWCR' in texts


def test_a_statement_that_could_not_be_looked_at_is_not_passed_over():
    comparison, found = compared(fleet({}), LIMIT)
    ((category, source, text),) = found
    assert (category, source) == ('unread', 'policy') and 'could not be read' in text
    assert comparison.states['n1'] == 'notice'


@pytest.mark.parametrize(
    'registers, title',
    [
        ({POWER_LIMIT: {WATTS_165: '0-3'}}, 'power limit of the package'),
        ({MISC_ENABLE: {'0x0000004000850089': '0-3'}}, 'turbo on -> off'),
        ({PREFETCHERS: {'0x000000000000000f': '0-3'}}, 'hardware prefetchers on -> off'),
        ({POWER_LIMIT: {'0x8000000000158668': '0-3'}}, ''),
        ({MISC_ENABLE: {'0x0000004000850289': '0-3'}}, ''),  # and something else
    ],
)
def test_what_is_a_control_is_said_as_one(registers, title):
    comparison = compare(record(fleet({'odd': observed(registers)})))
    assert [finding.title for finding in comparison.findings] == [title]


def test_a_policy_on_what_else_would_follow_the_load_is_compared():
    nodes = fleet({})
    for node in nodes.values():
        node['cpufreq'] = ''
        node['registers']['0x00000199'] = [{'0x0000000000001500': '0-3'}, {}]
    policy = [{'register': 'PERF_CTL', 'field': 'FREQ', 'value': '2 GHz'}]
    assert compared(nodes, policy)[1] == [('power', 'policy', 'IA32_PERF_CTL: FREQ 2 GHz -> 2.1 GHz')]


DEFERRED = {'what': 'approve: activate al_0655', 'why': 'job 42 is on the node', 'since': '2026-11-26T22:00:05Z'}


def test_what_the_role_deferred_is_found_with_its_reason_and_since_when():
    nodes = fleet({'busy': observed(deferred=[DEFERRED])})
    text = 'deferred since 2026-11-26T22:00:05Z: activate al_0655 (job 42 is on the node)'
    assert findings(nodes) == [('deferred', text, 'busy')]
    assert states(nodes)['busy'] == 'drift'


def test_it_is_one_line_where_it_waits_on_many_nodes_and_they_stay_one_class():
    jobs = {'b%d' % number: dict(DEFERRED, why='job %d is on the node' % number) for number in range(1, 4)}
    nodes = fleet({name: observed(deferred=[each]) for name, each in jobs.items()})
    text = 'deferred since 2026-11-26: activate al_0655 (a job is on the node)'
    assert findings(nodes) == [('deferred', text, 'b[1-3]')]
    assert len(compare(record(nodes)).classes) == 1


OTHER_LIST = {'sha256': 'cd' * 32, 'registers': 2, 'writable': 1, 'installed': False}


def test_a_list_that_is_not_the_nodes_own_says_nothing_of_what_the_others_should_have():
    """Of two nodes, seen in molecule/audit: both were named, and the role sent to the wrong one, too."""
    assert findings(fleet({'odd': observed(approved_list=OTHER_LIST)}, 1)) == [
        ('list', 'the approved list in force is not that of /etc/msr-safe/approved_list', 'odd'),
        ('list', 'approved list: 98 registers (abababab) -> 2 registers (cdcdcdcd)', 'odd'),
    ]


def test_two_nodes_with_lists_of_their_own_do_not_agree():
    other = dict(OTHER_LIST, installed=True)
    ((category, text, nodes),) = findings(fleet({'odd': observed(approved_list=other)}, 1))
    assert (category, nodes) == ('list', 'n1,odd') and 'on n1' in text and 'on odd' in text
