# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What is wanted of a node: the options of msr_safe_plan, and the plan that they and an observation make."""

from __future__ import annotations

import json
import os
import re

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils.errors import MsrSafeError
from ..module_utils.provisioning.change import due_stages
from ..module_utils.provisioning.collection import COLLECTION
from ..module_utils.provisioning.group_at_boot import describe_group
from ..module_utils.provisioning.kernel import check_name
from ..module_utils.provisioning.observation import INSTALLED, RUNNING
from ..module_utils.provisioning.others import describe_shadows
from ..module_utils.provisioning.plan import plan_absent, plan_present
from ..module_utils.provisioning.requirements import describe_read_only
from ..modules import msr_safe_plan
from .failure import ActionFailure
from .once import once
from .types import require_types

# Of what documentation says of an option, what an argument spec says, too
SPECIFIED = ('type', 'elements', 'choices', 'default', 'required')

# The options that decide which list a processor gets
ABOUT_LISTS = ('tier', 'directories', 'overrides', 'allow_unsafe', 'shared')


# The variables of the role that are options of msr_safe_plan
VARIABLES = {
    'state': 'msr_safe_state',
    'root': 'msr_safe_root',
    'cpus': 'msr_safe_cpus',
    'kernel_release': 'msr_safe_kernel_release',
    'kernels': 'msr_safe_kernels',
    'from_package': 'msr_safe_from_package',
    'build_with': 'msr_safe_build_with',
    'build_directory': 'msr_safe_build_directory',
    'install_packages': 'msr_safe_install_packages',
    'artifacts': 'msr_safe_artifacts',
    'sign_key': 'msr_safe_sign_key',
    'sign_certificate': 'msr_safe_sign_certificate',
    'sign_command': 'msr_safe_sign_command',
    'majors': 'msr_safe_majors',
    'reload': 'msr_safe_reload',
    'take_over': 'msr_safe_take_over',
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


# Those of which only its tasks know
ROLE_ALONE = {
    'msr_safe_builder': {'type': 'str'},
    'msr_safe_builder_become': {'type': 'bool'},
    'msr_safe_drain': {'type': 'bool'},
    'msr_safe_drain_host': {'type': 'str'},
    'msr_safe_drain_become': {'type': 'bool'},
    'msr_safe_drain_node': {'type': 'str'},
    'msr_safe_drain_timeout': {'type': 'int'},
    'msr_safe_drain_interval': {'type': 'float'},
    'msr_safe_drain_bindir': {'type': 'str'},
}


def options_of_role(variables, template):
    """Return the options of msr_safe_plan that the variables of the role mean. Raises ActionFailure, and MsrSafeError.

    variables: of the host, as Ansible has them; template: a function that resolves what Jinja there is in a value. As
    options of the task, each would be a template of its own, which every fork of Ansible would compile.
    """
    # The node's name in Slurm is Jinja by default: to compile for each host, and of use to few
    asked = [name for name in ROLE_ALONE if name != 'msr_safe_drain_node' or variables['msr_safe_drain']]
    alone = {variable: resolved(variables, variable, template) for variable in asked}
    require_valid({name: value for name, value in alone.items() if value is not None and value != ''}, ROLE_ALONE)
    names = dict(VARIABLES)
    if not alone['msr_safe_builder']:
        names.pop('artifacts')
    options = {option: resolved(variables, variable, template) for option, variable in names.items()}
    if options['nmi_watchdog'] is False:  # YAML reads off so
        options['nmi_watchdog'] = 'off'
    return {option: value for option, value in options.items() if value is not None and value != ''}


def resolved(variables, name, template):
    """Return the value of a variable. Raises ActionFailure, with its name, where Jinja finds none."""
    try:
        return template(variables[name])
    except AnsibleError as error:
        raise ActionFailure('%s: %s' % (name, error)) from None


def specified(options):
    """Return documented options as an argument spec, with the defaults of their suboptions."""
    spec = {}
    for name, option in options.items():
        spec[name] = {key: option[key] for key in SPECIFIED if key in option}
        if 'suboptions' in option:
            spec[name]['options'] = specified(option['suboptions'])
            spec[name]['apply_defaults'] = option['type'] == 'dict'
    return spec


# The documentation states it, nothing else does. Parsed when Ansible imports this, not in each of its forks
ARGUMENT_SPEC = specified(yaml.safe_load(msr_safe_plan.DOCUMENTATION)['options'])


def wanted_settings(options, loader):
    """Return the options of msr_safe_plan as its settings, checked and complete. Raises ActionFailure or MsrSafeError.

    loader: Ansible's, which knows the playbook; directories on the controller are relative to that.
    """
    settings = require_valid(options, ARGUMENT_SPEC, called, with_variable)
    require_directories(settings['directories'])
    require_kernels(settings)
    settings['directories'] = [loader.path_dwim(directory) for directory in settings['directories']]
    if settings['artifacts']:
        settings['artifacts'] = loader.path_dwim(settings['artifacts'])
    if not os.path.isabs(settings['build_directory']):
        raise ActionFailure(
            'build_directory: %s is not absolute. It is on the host that builds: write the whole path.'
            % settings['build_directory']
        )
    return settings


def require_directories(directories):
    """Raise MsrSafeError where a directory has no name: it would be the playbook's, and the site's lists not found."""
    if not all(directory.strip() for directory in directories):
        raise MsrSafeError(
            'directories: one of them has no name (msr_safe_approved_list_directories).',
            'Is a variable in it empty? Name the directory, or take the entry out.',
        )


def require_kernels(settings):
    """Raise MsrSafeError where a kernel is none: nodes would be asked for it, and fail when all else is done."""
    for name in settings['kernels']:
        if name not in (RUNNING, INSTALLED):
            check_name(name, 'msr_safe_kernels')
    if settings['kernel_release'] is not None:
        check_name(settings['kernel_release'], 'msr_safe_kernel_release')


def require_valid(options, spec, variable=str, message=str):
    """Return options as an argument spec wants them, complete. Raises ActionFailure, and MsrSafeError.

    variable: function from an option's name to what its users call it; message: one that makes an error of Ansible's
    theirs.
    """
    require_types(options, spec, variable)
    result = ArgumentSpecValidator(spec).validate(options)
    if result.error_messages:
        raise ActionFailure('\n'.join(map(message, result.error_messages)))
    return result.validated_parameters


def called(option):
    """Return an option as users know it: by the variable of the role."""
    return '%s (%s)' % (VARIABLES[option], option) if option in VARIABLES else option


# Where an error of Ansible's names the option that it is about; of one within an option, that option
NAMES_OPTION = (
    re.compile(r"found in '?(\w+)"),
    re.compile(r'\A(\w+)\.\w'),
    re.compile(r"\A(?:value of|argument|Elements value for option|Value .* in the sub parameter field) '?(\w+)"),
)


def with_variable(message, names=None):
    """Return an error of an option with the variable that it comes from. names: {option: variable}, or of msr_safe."""
    names = VARIABLES if names is None else names
    found = [match.group(1) for match in (pattern.search(message) for pattern in NAMES_OPTION) if match]
    variables = [names[option] for option in found if option in names]
    return '%s (%s)' % (message, variables[0]) if variables else message


def observation_options(settings):
    """Return what an observation of the node has to know of the settings, as options of msr_safe_info."""
    options = {name: settings[name] for name in ('kernel_release', 'kernels', 'group')}
    options['policy'] = settings['policy']
    # With a builder, the directory is on that; the node keeps its copy where it always does
    if not settings['artifacts']:
        options['build_directory'] = settings['build_directory']
    return options


def plan(observed, settings):
    """Return (changes, the wanted state or None, warnings) for an observed node.

    Raises MsrSafeError, and ActionFailure where there is no list to approve.
    """
    if settings['state'] == 'absent':
        changes = plan_absent(observed)
        return changes, None, describe_read_only(observed, changes)
    if observed['running']:
        approved_list, warnings = approved_list_of(observed['cpu'], settings)
        wanted = COLLECTION.wanted(observed, settings, approved_list)
    else:
        approved_lists, warnings = approved_lists_of(settings)
        wanted = COLLECTION.wanted(observed, settings, None, approved_lists)
    changes = plan_present(observed, wanted)
    warnings += describe_read_only(observed, changes)
    if 'commands' in due_stages(changes):
        warnings += describe_shadows(observed['shadows'])
    if 'permissions' in due_stages(changes):
        warnings += describe_group(settings['group'], observed['group_at_boot'])
    if observed['running'] and 'approve' in due_stages(changes):
        warnings += COLLECTION.watchdog_warnings(observed, wanted)
    return changes, wanted, warnings


def approved_list_of(cpu, settings):
    """Return (the list for a processor, warnings); selected, read and linted once in a run for all like it."""
    model = {name: value for name, value in cpu.items() if name not in ('online', 'microcode')}
    about_lists = {name: settings[name] for name in ABOUT_LISTS}
    name = json.dumps(['approved list', model, about_lists], sort_keys=True)
    return once(name, lambda: COLLECTION.approved_list(model, about_lists))


def approved_lists_of(settings):
    """Return (the lists of all processors of an image, by name, warnings); made once in a run for all images alike."""
    about_lists = {name: settings[name] for name in ABOUT_LISTS}
    name = json.dumps(['approved lists', settings['cpus'], about_lists], sort_keys=True)
    return once(name, lambda: COLLECTION.approved_lists(settings['cpus'], about_lists))


# Made when Ansible imports this, not in each of its forks
COLLECTION.digests  # noqa: B018
