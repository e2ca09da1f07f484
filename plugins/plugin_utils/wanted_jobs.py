# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What is wanted of a node of Slurm: the options of msr_jobs_plan, looked at whole, and the plan that they make."""

from __future__ import annotations

import functools
import hashlib

import yaml

from ..module_utils.approved_lists.lint import require_safe
from ..module_utils.jobs.controls import entries_of, fields_of, parse_bounds
from ..module_utils.jobs.settings import CHOICES
from ..module_utils.jobs.site import settings_text
from ..module_utils.machine import Machine
from ..module_utils.numbers import MAX_ADDRESS, parse_literal
from ..module_utils.provisioning.collection import COLLECTION
from ..module_utils.provisioning.slurm_plan import plan_slurm, plan_slurm_absent
from ..module_utils.provisioning.tree import digest_tree, read_tree
from ..module_utils.registers.of_cpu import registers_of
from ..modules import msr_jobs_plan
from .wanted import ARGUMENT_SPEC, require_valid, specified, with_variable

PLACES = ('bindir', 'plugstack', 'prolog', 'epilog')
LIST_SPEC = {name: ARGUMENT_SPEC[name] for name in ('tier', 'directories', 'overrides', 'allow_unsafe')}
LIST_DEFAULTS = {'tier': 'power', 'directories': [], 'overrides': [], 'allow_unsafe': []}


@functools.lru_cache(maxsize=None)
def argument_spec():
    """Return the argument spec of msr_jobs_plan: its documentation states it, nothing else does."""
    return specified(yaml.safe_load(msr_jobs_plan.DOCUMENTATION)['options'])


def wanted_settings(options):
    """Return the options, checked and complete; without a value, they have their defaults.

    Raises ActionFailure, and MsrSafeError for what means nothing.
    """
    options = {name: value for name, value in options.items() if value is not None and value != ''}
    names = {option: 'slurm_msr_' + option for option in argument_spec()}
    settings = require_valid(options, argument_spec(), names.get, lambda message: with_variable(message, names))
    settings_text(wishes_of(settings))
    settings['profiles'] = {name: with_list(profile, name) for name, profile in settings['profiles'].items()}
    return settings


def with_list(profile, name):
    """Return a profile, with what chooses its list as valid as the same options of the node's own list.

    Raises ActionFailure, and MsrSafeError.
    """
    chosen = {option: profile[option] for option in LIST_SPEC if option in profile}
    where = 'slurm_msr_profiles: %s: ' % name
    valid = require_valid(chosen, LIST_SPEC, lambda option: where + option, lambda message: where + message)
    return dict(profile, **{option: valid[option] for option in chosen})


def wishes_of(settings, slurm_conf='', slurm_bin=''):
    """Return what jobs.conf is made of."""
    wishes = {name: settings[name] for name in CHOICES if name in settings}
    wishes.update(profiles=settings['profiles'], partition_defaults=settings['partition_defaults'])
    return dict(wishes, slurm_conf=slurm_conf, slurm_bin=slurm_bin)


def plan(observed, settings):
    """Return (changes, warnings, artifact or None) for an observed node. Raises MsrSafeError."""
    wanted = {name: settings[name] for name in ('state', 'method', 'submit_only', 'prolog', 'epilog')}
    if settings['state'] == 'absent':
        return (*plan_slurm_absent(observed, wanted), None)
    slurm, profiles = observed['slurm'], settings['profiles']
    artifact = artifact_of(settings['artifacts'], slurm['version']) if slurm else None
    lists, warnings = ({}, []) if settings['submit_only'] else lists_of(observed['cpu'], settings)
    wanted.update(
        settings=settings_text(wishes_of(settings, *([slurm['conf'] or '', slurm['bindir']] if slurm else []))),
        lists=lists,
        accounts=sorted(name for name, profile in profiles.items() if 'accounts' in profile),
        restricted=any(
            rule in profile for profile in profiles.values() for rule in ('users', 'accounts', 'partitions')
        ),
        shares=settings['shared'] == 'last',
        trusts_accounts=settings['trust_accounts'],
        standby=settings['standby'] and settings['method'] == 'spank',
        artifact=artifact,
    )
    changes, more_warnings = plan_slurm(observed, wanted)
    return changes, warnings + more_warnings, artifact


def lists_of(cpu, settings):
    """Return ({profile: text of its list for a CPU}, warnings). Raises MsrSafeError."""
    texts, warnings = {}, []
    for name, profile in settings['profiles'].items():
        chosen = {key: profile.get(key, usual) for key, usual in LIST_DEFAULTS.items()}
        approved, more_warnings = COLLECTION.approved_list(cpu, dict(chosen, shared=settings['shared'] == 'last'))
        texts[name] = approved['file_text']
        more_warnings = more_warnings + look_at_controls(cpu, name, profile)
        warnings += ['profile %s: %s' % (name, warning) for warning in more_warnings]
    return texts, warnings


def look_at_controls(cpu, name, profile):
    """Return warnings about what jobs with a profile may have set. Raises MsrSafeError where that is not safe."""
    controls, registers = parse_bounds(profile.get('set', []), name), registers_of(cpu)
    absent = [control for control in controls if not fields_of(control, registers)]
    allowed = [parse_literal(address, MAX_ADDRESS, 'allow_unsafe:') for address in profile.get('allow_unsafe', [])]
    warnings = require_safe(entries_of(controls, registers), 'set of profile ' + name, allow_unsafe=allowed)
    return warnings + ['there is no %s on this CPU to set' % control for control in absent]


def artifact_of(directory, version):
    """Return the plugin for a version of Slurm on the controller: ``{'path', 'stamp', 'sha256' or None}``."""
    sources = read_tree(COLLECTION.directory('files', 'spank'), ('.c', '.h', 'Makefile'))
    stamp = '%s-%.12s' % (version, digest_tree(sources))
    path = '%s/%s/msr_safe.so' % (directory, stamp)
    content = Machine().read(path)
    return {'path': path, 'stamp': stamp, 'sha256': content and hashlib.sha256(content).hexdigest()}
