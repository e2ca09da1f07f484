# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Fleets on paper: what msr_audit_info would return of nodes, and audits of them."""

import copy

from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.comparison import compare
from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.nodeset import fold_names
from ansible_collections.hpc.msr_safe.plugins.module_utils.audit.run import Recorder, parse_run, render_run

TIME = '2026-11-27T06:00:00Z'
MISC_ENABLE, POWER_LIMIT, PREFETCHERS = '0x000001A0', '0x00000610', '0x000001A4'
WATTS_205, WATTS_165 = '0x0000000000158668', '0x0000000000158528'

OBSERVATION = {
    'cpu': {
        'vendor': 'GenuineIntel',
        'family': 6,
        'model': 0x55,
        'stepping': 4,
        'microcode': '0x2007006',
        'model_name': 'Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz',
        'online': '0-3',
    },
    'packages': ['0-1', '2-3'],
    'kernel': '6.1.0-18-amd64',
    'bios': 'AMI 3.4 10/30/2024',
    'product': 'Supermicro X11',
    'cpufreq': 'intel_pstate',
    'governor': 'performance',
    'stock_driver': False,
    'module': {'version': '2.0.0', 'ours': True},
    'policy': None,
    'approved_list': {'sha256': 'ab' * 32, 'registers': 98, 'writable': 41, 'installed': True},
    'deferred': [],
    'registers': {
        '0x00000606': [{'0x00000000000a0e03': '0-3'}, {}],
        MISC_ENABLE: [{'0x0000000000850089': '0-3'}, {}],
        PREFETCHERS: [{'0x0000000000000000': '0-3'}, {}],
        POWER_LIMIT: [{WATTS_205: '0-3'}, {}],
    },
}


def observed(registers=None, **changes):
    """Return an observation; registers: {address: {value: cpulist}} that are other than usual."""
    observation = copy.deepcopy(dict(OBSERVATION, **changes))
    for address, values in (registers or {}).items():
        observation['registers'][address] = [values, {}]
    return observation


def record(nodes, equal=None, policy=None):
    """Return the Run of {name: observation, or (kind of failure, message)}, as it comes back from its file.

    equal: {name: what the site says is equal}; policy: the statements for all nodes.
    """
    recorder = Recorder(TIME)
    for name, observation in nodes.items():
        if isinstance(observation, tuple):
            recorder.add_failure(name, *observation)
        else:
            recorder.add(name, observation, (equal or {}).get(name), policy)
    return parse_run(render_run(recorder.run), 'run.json')


def fleet(others, count=3):
    """Return nodes n1, n2 … that are equal, and others."""
    nodes = {'n%d' % number: observed() for number in range(1, count + 1)}
    nodes.update(others)
    return nodes


def findings(nodes, equal=None, **options):
    """Return the findings on nodes as (category, text, nodes)."""
    comparison = compare(record(nodes, equal), **options)
    return [(finding.category, finding.text, fold_names(finding.nodes)) for finding in comparison.findings]
