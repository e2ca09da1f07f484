# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Every variable of the roles, and every option of the modules that travels by an action plugin, of a wrong type.

It is refused in words that name it, or is what it says; there is no traceback, and nothing silently different. The
plugins are the real ones, the node is an observation.
"""

import copy
import functools
import importlib
import json
import pathlib
from unittest import mock

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.collection import COLLECTION
from ansible_collections.hpc.msr_safe.plugins.plugin_utils import wanted, wanted_jobs
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.failure import ActionFailure
from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import observations, run_playbook, write_stub

PLUGINS = 'ansible_collections.hpc.msr_safe.plugins.action.'
ROLES = pathlib.Path(COLLECTION.root) / 'roles'
REACHED = 'the node was reached'

# What no type takes, and may be met in a file of variables
VALUES = [
    *('word', 'a,b', 'yes', '7', 7, 0, -1, 2.5, True, False, None, ''),
    *({}, {'a': 1}, {'a': None}, {'a': {'b': 1}}, [], ['word'], [{'a': 1}], [None], [[1]], [7], [True]),
]
# What each type refuses; a text among them, too, where nothing can be made of it
NO_TEXT = [True, False, 2.5, {}, {'a': 1}, [], ['word'], [None]]
NO_DICT = ['word', 7, 0, 2.5, True, False, ['word'], [None], [7], [{'a': 1}], []]
WRONG = {
    'str': NO_TEXT,
    'path': NO_TEXT,
    'bool': ['word', '7', 7, -1, 2.5, {}, [], [True], ['yes']],
    'int': ['word', 2.5, True, False, {}, [], [7], {'a': 1}],
    'float': ['word', True, False, {}, [], [7], {'a': 1}],
    'dict': NO_DICT,
    'list of str': [True, False, {}, {'a': 1}, [None], [{'a': 1}], [[1]], [True], [2.5]],
    'list of path': [True, False, {}, {'a': 1}, [None], [{'a': 1}], [[1]], [True], [2.5]],
    'list of dict': ['word', 7, True, False, {}, {'a': 1}, [None], ['word'], [[1]], [7], [True]],
}


@functools.lru_cache(maxsize=None)
def spec_of(role):
    text = (ROLES / role / 'meta' / 'argument_specs.yml').read_text()
    return yaml.safe_load(text)['argument_specs']['main']['options']


@functools.lru_cache(maxsize=None)
def defaults_of(role):
    defaults = yaml.safe_load((ROLES / role / 'defaults' / 'main.yml').read_text())
    return {name: '/x' if name.endswith('_artifacts') else value for name, value in defaults.items()}


def kind_of(option):
    return ('list of ' + option['elements']) if option['type'] == 'list' and 'elements' in option else option['type']


def plugin(name, options, variables, answer):
    task = mock.Mock(args=options, async_val=0, check_mode=True, diff=True)
    action = importlib.import_module(PLUGINS + name).ActionModule(
        task, mock.Mock(), mock.Mock(), DataLoader(), Templar(DataLoader(), variables=variables), mock.Mock()
    )
    action._execute_module = mock.Mock(return_value=answer)
    return action


def plan(variables):
    """Return what the plan of the role msr_safe says for variables, on a fresh node."""
    fresh, _converged = observations()
    fresh['policy'] = {'problem': None, 'before': '', 'after': '', 'notes': []}
    task_vars = dict(defaults_of('msr_safe'), inventory_hostname_short='n1', **variables)
    answer = plugin('msr_safe_plan', {'of_role': True}, task_vars, {'msr_safe': fresh}).run(None, task_vars)
    return answer['changes']


def plan_jobs(variables):
    """Return the options with which the role slurm observes a node; the node then says that it was reached."""
    values = dict(defaults_of('slurm'), **variables)
    options = {name: values['slurm_msr_' + name] for name in JOBS_OPTIONS}
    action = plugin('msr_jobs_plan', options, {}, {'failed': True, 'msg': REACHED})
    with pytest.raises(ActionFailure) as refused:
        action.run(None, {})
    if REACHED not in str(refused.value):
        raise refused.value
    return action._execute_module.call_args[1]['module_args']


def given(name, value):
    """Return the variables that give one a value, and have it count."""
    needed = {'msr_safe_artifacts': {'msr_safe_builder': 'b'}, 'msr_safe_drain_node': {'msr_safe_drain': True}}
    return {**needed.get(name, {}), name: copy.deepcopy(value)}


JOBS_OPTIONS = [name[len('slurm_msr_') :] for name in spec_of('slurm') if not name.endswith(('_builder', '_packages'))]
VARIABLES = [('msr_safe', name) for name in spec_of('msr_safe')]
VARIABLES += [('slurm', 'slurm_msr_' + name) for name in JOBS_OPTIONS]


@pytest.mark.parametrize('role, name', VARIABLES)
def test_a_variable_of_any_type_ends_in_words_or_means_what_it_says(role, name):
    option, planned = spec_of(role)[name], {'msr_safe': plan, 'slurm': plan_jobs}[role]
    for value in VALUES + WRONG[kind_of(option)]:
        try:
            planned(given(name, value))
        except ActionFailure as error:
            said = str(error)
            assert 'Error(' not in said and 'Traceback' not in said and said.strip(), (value, said)
            continue
        assert not any(value == wrong and type(value) is type(wrong) for wrong in WRONG[kind_of(option)]) or is_choice(
            value, option
        ), value


def is_choice(value, option):
    """Return whether a value is one of the choices, as YAML reads those: off is false."""
    return {True: 'on', False: 'off'}.get(value if isinstance(value, bool) else None) in option.get('choices', ())


@pytest.mark.parametrize('role, name', VARIABLES)
def test_what_is_refused_names_the_variable(role, name):
    option, planned = spec_of(role)[name], {'msr_safe': plan, 'slurm': plan_jobs}[role]
    for value in WRONG[kind_of(option)]:
        if not is_choice(value, option):
            with pytest.raises(ActionFailure, match=name):
                planned(given(name, value))


@pytest.mark.parametrize('role, name', VARIABLES)
@pytest.mark.parametrize('nothing', [None, ''])
def test_a_variable_without_a_value_has_its_default(role, name, nothing):
    planned = {'msr_safe': plan, 'slurm': plan_jobs}[role]
    if not name.endswith('_artifacts'):  # Their default is below the home of who runs Ansible
        assert planned({name: nothing}) == planned({})


@pytest.mark.parametrize('name', ['msr_safe_majors', 'msr_safe_modes', 'msr_safe_approved_list_overrides'])
def test_what_is_below_a_variable_may_be_of_any_type(name):
    options = spec_of('msr_safe')[name]['options']
    for below, option in options.items():
        for value in VALUES:
            items = dict({'address': '0x10'} if 'address' in options else {}, **{below: copy.deepcopy(value)})
            try:
                plan({name: [items] if 'address' in options else items})
            except ActionFailure as error:
                assert 'Error(' not in str(error), (below, value)
                continue
            assert not isinstance(value, (dict, list, bool)), (below, value)
            assert option['type'] != 'int' or not value or int(value) == float(value)


STATEMENTS = [{'control': 'turbo', 'value': 'off'}, {'register': '0x1A0', 'value': '0', 'mask': '0x4000000000'}]


@pytest.mark.parametrize('statement', STATEMENTS)
@pytest.mark.parametrize('key', ['control', 'register', 'field', 'value', 'mask', 'cpus', 'cpu_models', 'when'])
def test_what_is_in_a_statement_of_a_policy_may_be_of_any_type(statement, key):
    for value in VALUES:
        try:
            plan({'msr_safe_policy': [dict(statement, **{key: copy.deepcopy(value)})]})
        except ActionFailure as error:
            assert 'Error(' not in str(error) and str(error).strip(), value


@pytest.mark.parametrize('key', ['tier', 'directories', 'overrides', 'allow_unsafe', 'users', 'accounts', 'set'])
def test_what_is_in_a_profile_may_be_of_any_type(key):
    cpu = observations()[0]['cpu']
    for value in [*VALUES, [0x1A0], [{'address': 0x1A0, 'state': 'absnt'}], [{'address': 0x1A0, 'write_mask': {}}]]:
        try:
            profile = {key: copy.deepcopy(value)}
            settings = wanted_jobs.wanted_settings({'artifacts': '/x', 'profiles': {'p': profile}})
            wanted_jobs.lists_of(cpu, settings)
        except (ActionFailure, MsrSafeError) as error:
            assert 'Error(' not in str(error) and str(error).strip(), value
            continue
        assert value in ([], ['word'], [0x1A0], [7]), value


@pytest.mark.parametrize('variable', ['msr_safe_group', 'msr_safe_majors', 'msr_safe_drain', 'msr_safe_policy'])
def test_what_jinja_does_not_find_is_said_with_the_variable(tmp_path, variable):
    fresh, _converged = observations()
    script = write_stub(tmp_path, 'node', {'msr_safe': fresh})
    (tmp_path / 'hosts').write_text('n1 ansible_connection=local ansible_python_interpreter=%s\n' % script)
    wrong = json.dumps({variable: '{{ no_such_variable }}'})
    process = run_playbook(tmp_path, 'hpc.msr_safe.site', '--check', '-e', wrong)
    said = ' '.join(process.stdout.split())
    assert process.returncode and variable in said and 'no_such_variable' in said, said
    assert 'Traceback' not in said


# Modules that travel by an action plugin: {plugin: ({option: what is wrong}, the rest)}
TEXT = [True, 2.5, {}, {'a': 1}, [], ['word'], [None]]
NO_LIST = [True, {}, {'a': 1}, [None], [{'a': 1}], [[1]], [True]]
SETTING = {'register': 'MISC_ENABLE', 'value': '1'}
MODULES = [
    ('msr', 'register', TEXT, SETTING),
    ('msr', 'field', TEXT, SETTING),
    ('msr', 'value', [{}, {'a': 1}, [], ['word']], SETTING),
    ('msr', 'unit', TEXT, SETTING),
    ('msr', 'mask', TEXT, SETTING),
    ('msr', 'cpus', [True, [0, 1], {}], SETTING),
    (
        'msr',
        'settings',
        [True, {}, [7], [None], ['word', [1]], [dict(SETTING, cpus=[0])], [dict(SETTING, mask={})]],
        {},
    ),
    ('msr', 'lock_timeout', [True, [], {}], SETTING),
    ('msr_info', 'registers', NO_LIST, {}),
    ('msr_info', 'cpus', TEXT, {'registers': '0x1A0'}),
    ('msr_policy', 'policy', [7, 'word', True, {}, {'a': 1}, ['word'], [None], [[1]]], {}),
    ('msr_audit_info', 'policy', [7, 'word', True, {}, {'a': 1}, ['word'], [None], [[1]]], {}),
    ('msr_audit', 'directory', TEXT, {}),
    ('msr_audit', 'keep', [True, [], {}], {}),
    *[
        (name, option, wrong, {'path': '/root/n1.json'})
        for name in ('msr_save', 'msr_restore')
        for option, wrong in (('path', TEXT), ('controller_directory', TEXT), ('cpus', TEXT), ('registers', NO_LIST))
    ],
]


@pytest.mark.parametrize('name, option, wrong, rest', MODULES)
def test_an_option_of_a_wrong_type_does_not_reach_the_node(name, option, wrong, rest):
    """As a text of its type it would name a file, or a register, that nobody meant."""
    for value in wrong:
        action = plugin(name, dict(rest, **{option: copy.deepcopy(value)}), {}, {})
        with pytest.raises(ActionFailure, match=option):
            action.run(None, {'inventory_hostname': 'n1'})
        assert not action._execute_module.called, value


def test_the_role_says_of_what_only_its_tasks_know_what_is_looked_at():
    alone = {name: option for name, option in spec_of('msr_safe').items() if name not in wanted.VARIABLES.values()}
    assert {name: {'type': option['type']} for name, option in alone.items()} == wanted.ROLE_ALONE
