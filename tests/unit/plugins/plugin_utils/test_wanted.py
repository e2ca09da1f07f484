# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pathlib

import pytest
import yaml
from ansible_collections.hpc.msr_safe.plugins.plugin_utils import wanted

ROLE = pathlib.Path(wanted.__file__).resolve().parents[2] / 'roles' / 'msr_safe'
# Options of msr_safe_plan by the variables of the role that set them
VARIABLES = {
    'state': 'msr_safe_state',
    'kernel_release': 'msr_safe_kernel_release',
    'build_directory': 'msr_safe_build_directory',
    'artifacts': 'msr_safe_artifacts',
    'majors': 'msr_safe_majors',
    'group': 'msr_safe_group',
    'modes': 'msr_safe_modes',
    'tier': 'msr_safe_approved_list_tier',
    'directories': 'msr_safe_approved_list_directories',
    'overrides': 'msr_safe_approved_list_overrides',
    'allow_unsafe': 'msr_safe_allow_unsafe',
    'shared': 'msr_safe_shared',
    'nmi_watchdog': 'msr_safe_nmi_watchdog',
    'policy': 'msr_safe_policy',
}


def test_documentation_is_the_argument_spec():
    settings = wanted.wanted_settings({'majors': {'msr_batch': '240'}, 'overrides': [{'address': '0x10'}]})
    assert settings['state'] == 'present'
    assert settings['majors'] == {'msr_safe': 0, 'msr_batch': 240, 'msr_approved_list': 0, 'msr_safe_version': 0}
    assert settings['modes']['msr_approved_list'] == '0600'
    assert settings['overrides'][0]['state'] == 'present'
    assert settings['kernel_release'] is None


@pytest.mark.parametrize(
    'options, words',
    [
        ({'tier': 'everything'}, 'tier must be one of: shared, monitor, perf, power'),
        ({'majors': {'msr_bach': 240}}, 'msr_bach'),
        ({'majors': {'msr_batch': 'many'}}, 'msr_batch'),
        ({'no_such_option': 1}, 'no_such_option'),
    ],
)
def test_a_wrong_option_is_said(options, words):
    with pytest.raises(wanted.AnsibleActionFail, match=words):
        wanted.wanted_settings(options)


def described(option):
    """Return what the role and the module must say alike of an option."""
    kind = {key: option[key] for key in ('type', 'elements', 'choices') if key in option}
    return kind, sorted(option.get('options') or option.get('suboptions') or [])


def test_the_role_says_the_same():
    role = yaml.safe_load((ROLE / 'meta' / 'argument_specs.yml').read_text())['argument_specs']['main']['options']
    module = yaml.safe_load(wanted.msr_safe_plan.DOCUMENTATION)['options']
    assert set(VARIABLES) == set(module)
    for option, variable in VARIABLES.items():
        assert described(role[variable]) == described(module[option]), variable


def test_the_role_has_the_defaults_that_it_documents():
    role = yaml.safe_load((ROLE / 'meta' / 'argument_specs.yml').read_text())['argument_specs']['main']['options']
    defaults = yaml.safe_load((ROLE / 'defaults' / 'main.yml').read_text())
    assert set(defaults) == set(role)
    stated = {name: option['default'] for name, option in role.items() if 'default' in option}
    assert {name: defaults[name] for name in stated} == stated
