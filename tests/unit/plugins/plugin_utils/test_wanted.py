# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pathlib
import re

import pytest
import yaml
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.plugin_utils import wanted
from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import observations

ROLE = pathlib.Path(wanted.__file__).resolve().parents[2] / 'roles' / 'msr_safe'


class Loader:
    """Ansible's loader, of a playbook in /site."""

    def path_dwim(self, path):
        return path if path.startswith('/') else '/site/' + path


def settings_of(options):
    return wanted.wanted_settings(options, Loader())


def test_directories_of_the_controller_are_relative_to_the_playbook():
    settings = settings_of({'directories': ['lists', '/srv/lists'], 'artifacts': 'modules'})
    assert settings['directories'] == ['/site/lists', '/srv/lists']
    assert settings['artifacts'] == '/site/modules'


def test_the_directory_to_build_in_is_on_another_host():
    with pytest.raises(wanted.ActionFailure, match='build_directory: built is not absolute'):
        settings_of({'build_directory': 'built'})


@pytest.mark.parametrize('artifacts, directory', [(None, '/srv/built'), ('/site/modules', None)])
def test_a_node_that_builds_is_looked_at_where_it_builds(artifacts, directory):
    settings = settings_of({'build_directory': '/srv/built', 'artifacts': artifacts})
    assert wanted.observation_options(settings).get('build_directory') == directory


def role_defaults():
    return yaml.safe_load((ROLE / 'defaults' / 'main.yml').read_text())


def test_the_variables_of_the_role_are_the_options():
    assert settings_of(wanted.options_of_role(role_defaults(), lambda value: value)) == settings_of({})


@pytest.mark.parametrize('nothing', ['', None])
def test_a_variable_without_a_value_leaves_the_default(nothing):
    variables = dict.fromkeys(role_defaults(), nothing)
    assert wanted.options_of_role(variables, lambda value: value) == {}


def test_the_watchdog_is_off_as_yaml_reads_it():
    variables = dict(role_defaults(), msr_safe_nmi_watchdog=False)
    assert wanted.options_of_role(variables, lambda value: value)['nmi_watchdog'] == 'off'


def test_modules_are_kept_on_the_controller_where_there_is_a_builder():
    variables = dict(role_defaults(), msr_safe_builder='{{ b }}', msr_safe_artifacts='/srv/modules')
    resolved = {'{{ b }}': 'builder'}
    options = wanted.options_of_role(variables, lambda value: resolved.get(str(value), value))
    assert options['artifacts'] == '/srv/modules'
    resolved['{{ b }}'] = ''
    assert 'artifacts' not in wanted.options_of_role(variables, lambda value: resolved.get(str(value), value))


def test_a_wrong_option_is_said_with_the_variable_of_the_role():
    with pytest.raises(wanted.ActionFailure, match='msr_safe_approved_list_tier'):
        settings_of({'tier': 'everything'})


def test_documentation_is_the_argument_spec():
    settings = settings_of({'majors': {'msr_batch': '240'}, 'overrides': [{'address': '0x10'}]})
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
    with pytest.raises(wanted.ActionFailure, match=words):
        settings_of(options)


@pytest.mark.parametrize(
    'options, variable',
    [
        ({'tier': 'pwer'}, 'msr_safe_approved_list_tier'),  # whose choices have the name of another option
        ({'overrides': [{'register': 'X', 'state': 'gone'}]}, 'msr_safe_approved_list_overrides'),
        ({'overrides': [{'register': 'X', 'reason': 'x'}]}, 'msr_safe_approved_list_overrides'),
        ({'majors': {'msr_safe': 'many'}}, 'msr_safe_majors'),
        ({'modes': {'group': '0660'}}, 'msr_safe_modes'),
        ({'shared': 'perhaps'}, 'msr_safe_shared'),
        ({'overrides': [5]}, 'msr_safe_approved_list_overrides'),
    ],
)
def test_the_variable_of_a_wrong_option_is_said_and_no_other(options, variable):
    with pytest.raises((wanted.ActionFailure, MsrSafeError)) as refused:
        settings_of(options)
    said = set(re.findall(r'\w+', str(refused.value)))
    assert said & set(wanted.VARIABLES.values()) == {variable}


@pytest.mark.parametrize('name', ['instaled', 'all', '', '../../srv', '6.1.0-18-amd64 ', '/lib/modules/6.1.0'])
def test_a_kernel_that_is_none_is_refused_before_a_node_is_asked(name):
    for options in ({'kernels': ['running', name]}, {'kernel_release': name}):
        with pytest.raises(MsrSafeError, match='is not the release of a kernel'):
            settings_of(options)


@pytest.mark.parametrize('name', ['running', 'installed', '6.1.0-18-amd64', '5.14.0-427.13.1.el9_4.x86_64+rt', '7.2.0'])
def test_a_kernel_is_a_word_or_a_release(name):
    assert settings_of({'kernels': [name]})['kernels'] == [name]


@pytest.mark.parametrize('directory', ['', ' '])
def test_a_directory_without_a_name_is_not_that_of_the_playbook(directory):
    with pytest.raises(MsrSafeError, match='msr_safe_approved_list_directories'):
        settings_of({'directories': ['/site/lists', directory]})


def test_commands_that_are_found_before_ours_are_said_where_ours_are_installed():
    fresh, converged = observations()
    settings = dict(settings_of({}), policy=None)
    for observed, count in ((fresh, 1), (converged, 0)):
        observed.update(shadows=['/usr/local/sbin/msrsave'])
        _changes, _wanted, warnings = wanted.plan(observed, settings)
        assert ['found before' in warning for warning in warnings].count(True) == count


def test_a_group_that_udev_does_not_know_at_boot_is_said_where_the_devices_are_given_to_it():
    fresh, converged = observations()
    settings = dict(settings_of({'group': 'hpcusers'}), policy=None)
    for observed in (fresh, converged):
        observed.update(group_exists=True, group_at_boot='elsewhere')
        _changes, _wanted, warnings = wanted.plan(observed, settings)
        assert ['hpcusers is not in /etc/group' in warning for warning in warnings].count(True) == 1
    _changes, _wanted, warnings = wanted.plan(converged, dict(settings, group='msr'))
    assert not [warning for warning in warnings if '/etc/group' in warning]


def described(option):
    """Return what the role and the module must say alike of an option."""
    kind = {key: option[key] for key in ('type', 'elements', 'choices') if key in option}
    return kind, sorted(option.get('options') or option.get('suboptions') or [])


def test_the_role_says_the_same():
    role = yaml.safe_load((ROLE / 'meta' / 'argument_specs.yml').read_text())['argument_specs']['main']['options']
    module = yaml.safe_load(wanted.msr_safe_plan.DOCUMENTATION)['options']
    assert {*wanted.VARIABLES, 'of_role', 'busy'} == set(module)
    for option, variable in wanted.VARIABLES.items():
        assert described(role[variable]) == described(module[option]), variable


def test_the_role_has_the_defaults_that_it_documents():
    role = yaml.safe_load((ROLE / 'meta' / 'argument_specs.yml').read_text())['argument_specs']['main']['options']
    defaults = yaml.safe_load((ROLE / 'defaults' / 'main.yml').read_text())
    assert set(defaults) == set(role)
    stated = {name: option['default'] for name, option in role.items() if 'default' in option}
    assert {name: defaults[name] for name in stated} == stated
