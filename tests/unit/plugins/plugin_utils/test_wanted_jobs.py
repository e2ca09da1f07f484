# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What is wanted of a node of Slurm: said alike by the role and the module, and looked at whole on the controller."""

import pathlib

import pytest
import yaml
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.settings import parse_settings
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.collection import COLLECTION
from ansible_collections.hpc.msr_safe.plugins.plugin_utils import wanted_jobs
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.failure import ActionFailure

ROLE = pathlib.Path(COLLECTION.root) / 'roles' / 'slurm'
SKYLAKE = {'vendor': 'GenuineIntel', 'family': 6, 'model': 85, 'stepping': 7, 'online': '0-3'}
OF_THE_ROLE = {'builder', 'packages'}  # where the plugin is built is no wish about the node


@pytest.fixture
def observed():
    return {
        'cpu': SKYLAKE,
        'slurm': {
            'version': '22.05.8',
            'bindir': '/opt/slurm/bin',
            'conf': '/etc/slurm/slurm.conf',
            'configless': False,
            'values': {'prologflags': 'Alloc'},
            'partitions': {'main': {'oversubscribe': 'EXCLUSIVE'}, 'shared': {}},
            'plugin_directory': '/usr/lib/slurm',
            'plugstack': '/etc/slurm/plugstack.conf',
        },
        'plugstack': '/etc/slurm/plugstack.conf',
        'plugstack_includes': {},
        'files': {},
        'plugin': {'path': '/usr/lib/slurm/msr_safe.so', 'sha256': None, 'stamp': None, 'loads': None},
        'service_enabled': False,
        'service_ran': False,
        'standby': {'enabled': False, 'answers': False},
        'systemd': True,
        'jobs': [],
        'slurmd': [],
        'writable': 0,
        'traces': [],
    }


@pytest.fixture
def planned(observed, tmp_path):
    """Return {path: the text that it is to have} for options."""

    def plan(**options):
        settings = wanted_jobs.wanted_settings(dict(options, artifacts=str(tmp_path)))
        changes, warnings, _artifact = wanted_jobs.plan(observed, settings)
        return {change.get('path'): change['after'] for change in changes}, warnings

    return plan


def test_the_role_says_what_the_module_says():
    role = yaml.safe_load((ROLE / 'meta' / 'argument_specs.yml').read_text())['argument_specs']['main']['options']
    module = yaml.safe_load(wanted_jobs.msr_jobs_plan.DOCUMENTATION)['options']
    assert {name[len('slurm_msr_') :] for name in role} - OF_THE_ROLE == set(module)
    for name, option in module.items():
        ours = role['slurm_msr_' + name]
        assert ours.get('choices') == option.get('choices'), name
        assert option['type'] in ('raw', ours['type']), name


def test_the_role_hands_on_every_variable():
    task = yaml.safe_load((ROLE / 'tasks' / 'main.yml').read_text())[0]['hpc.msr_safe.msr_jobs_plan']
    assert task == {name: '{{ slurm_msr_%s }}' % name for name in wanted_jobs.argument_spec()}


def test_where_slurm_conf_is_and_profiles_become_the_settings(planned):
    texts, _warnings = planned(
        profiles={'monitor': {'tier': 'monitor', 'set': ['turbo']}}, default_profile='monitor', shared='last'
    )
    settings = parse_settings(texts['/etc/msr-safe/jobs.conf'], 'jobs.conf')
    assert (settings.slurm_conf, settings.slurm_bin) == ('/etc/slurm/slurm.conf', '/opt/slurm/bin')
    assert (settings.exclusive, settings.shared) == ([], 'last')
    assert settings.profiles['monitor'].sets == ['turbo']
    assert 'MSR_PLATFORM_INFO' in texts['/etc/msr-safe/profiles/monitor']


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'profiles': {'power': {'user': ['alice']}}}, 'there is no user'),
        ({'profiles': {'power': {'set': 'turbo'}}}, "power: set is 'turbo', not a list"),
        ({'profiles': {'power': {'set': ['tubro']}}}, "there is no control 'tubro'"),
        ({'default_profile': 'mistyped'}, 'the default profile mistyped is none of the profiles'),
        ({'default_profile': ['a']}, 'is not, a text'),
    ],
)
def test_what_means_nothing_is_said_before_a_node_is_asked(options, words):
    with pytest.raises(MsrSafeError) as caught:
        wanted_jobs.wanted_settings(dict(options, artifacts='/x'))
    assert words.replace('is not, a text', 'not a text') in str(caught.value)


@pytest.mark.parametrize('options', [{'shared': 'maybe'}, {'profile': {}}, {'trust_accounts': 'perhaps'}])
def test_a_wrong_option_is_said(options):
    with pytest.raises((ActionFailure, MsrSafeError), match=next(iter(options))):
        wanted_jobs.wanted_settings(dict(options, artifacts='/x'))


def test_what_would_hand_out_the_machine_cannot_be_set(planned):
    with pytest.raises(MsrSafeError, match='set of profile power would hand out the machine'):
        planned(profiles={'power': {'set': ['IA32_MISC_ENABLE.XD_DISABLE:0-1']}})


@pytest.mark.parametrize(('shared', 'is_told'), [('last', True), ('refuse', False)])
def test_jobs_that_share_a_node_share_its_profile(planned, shared, is_told):
    _texts, warnings = planned(profiles={'power': {'users': ['alice']}}, shared=shared)
    assert any('With slurm_msr_shared: last' in warning for warning in warnings) == is_told


def test_a_control_that_a_cpu_lacks_is_said(planned, observed):
    observed['cpu'] = dict(SKYLAKE, vendor='AuthenticAMD', family=25, model=1)
    _texts, warnings = planned(profiles={'power': {'set': ['power_limit:100W-200W']}})
    assert 'profile power: there is no power_limit on this CPU to set' in warnings
