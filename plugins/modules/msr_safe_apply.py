#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Carry out changes that msr_safe_plan planned."""

DOCUMENTATION = r"""
module: msr_safe_apply
short_description: Carry out changes that msr_safe_plan planned
version_added: 2.0.0
description:
  - Not for users but for the role P(hpc.msr_safe.msr_safe#role), which is made of this module and
    M(hpc.msr_safe.msr_safe_plan).
  - Carries out the changes of all or some stages in one execution on the node, in order, and stops at the first that
    fails. What they need of the controller's files travels with them.
  - In check mode, and to show the diff, nothing is sent to the node, since the plan says it all.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes
options:
  changes:
    description: Changes as RV(hpc.msr_safe.msr_safe_plan#module:changes) gives them.
    type: list
    elements: dict
    required: true
  stages:
    description: Carry out only the changes of these stages.
    type: list
    elements: str
  waiting:
    description:
      - What RV(hpc.msr_safe.msr_safe_plan#module:waiting) says.
      - It is said again, and the node remembers it, for audits. Without it, the node remembers what it did before.
    type: list
    elements: dict
  remembers:
    description: Whether the node remembers just that. Otherwise it is told, also where there are no changes.
    type: bool
    default: true
  role:
    description: The role whose deferred work is remembered. Each forgets only its own.
    type: str
    choices: [msr_safe, slurm]
    default: msr_safe
  verify:
    description:
      - The options of M(hpc.msr_safe.msr_safe_plan) that the changes were planned with.
      - If given, the node is observed once more after the changes, in the same execution, and the task fails where
        something is left to do.
    type: dict
  root:
    description:
      - The root directory, on the host, of an image that is changed in place of the host itself.
      - Nothing is done to the kernel and the services that run on the host.
    type: path
  _payloads:
    description: Not for users. A zip archive of the files that changes need, sent by the action plugin.
    type: path
attributes:
  idempotent:
    description: The plan is. Carrying out the same changes twice does them twice.
    support: partial
seealso:
  - module: hpc.msr_safe.msr_safe_plan
"""

EXAMPLES = r"""
- name: Plan
  hpc.msr_safe.msr_safe_plan:
  register: plan

- name: Carry out everything that is due
  hpc.msr_safe.msr_safe_apply:
    changes: "{{ plan.changes }}"
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode, a line each, which begins with the stage.
  returned: always
  type: list
  elements: str
  sample: ["load: load msr_safe"]
deferred:
  description:
    - What is not done now and why, a line each. After changes that were verified, what is found then.
    - A change that a job would feel is left out, too, where the job came between plan and execution.
  returned: always
  type: list
  elements: str
  sample: ["approve: activate al_0655: job 42 is on the node"]
"""

import contextlib
import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import MsrSafeError
from ..module_utils.jobs.record import DIRECTORY, jobs_locked, read_records
from ..module_utils.machine import machine_of
from ..module_utils.provisioning.alone import alone
from ..module_utils.provisioning.change import (
    carry_out_change,
    defer_for_jobs,
    deferrals,
    describe_change,
    describe_deferrals,
    disturbs,
)
from ..module_utils.provisioning.deferred import DEFERRED, DEFERRED_OF_SLURM, remember_deferred
from ..module_utils.provisioning.observation import observe_node
from ..module_utils.provisioning.tree import read_packed

# Where a node remembers what a role deferred
MEMORIES = {'msr_safe': DEFERRED, 'slurm': DEFERRED_OF_SLURM}


def main():
    module = AnsibleModule(
        argument_spec={
            'changes': {'type': 'list', 'elements': 'dict', 'required': True},
            'stages': {'type': 'list', 'elements': 'str'},
            'waiting': {'type': 'list', 'elements': 'dict'},
            # It is the action plugin that judges by it
            'remembers': {'type': 'bool', 'default': True},
            'role': {'type': 'str', 'choices': list(MEMORIES), 'default': 'msr_safe'},
            'verify': {'type': 'dict'},
            'root': {'type': 'path'},
            '_payloads': {'type': 'path'},
        },
        supports_check_mode=True,
    )
    done, waiting = [], list(module.params['waiting'] or [])
    try:
        result = apply(module.params, module.check_mode, done, waiting)
    except MsrSafeError as error:
        module.fail_json(msg=str(error), done=done, deferred=describe_deferrals(waiting), changed=bool(done))
    for note in result.pop('notes'):
        module.warn(note)
    module.exit_json(changed=bool(done), done=done, deferred=describe_deferrals(waiting), **result)


def apply(options, is_check, done, waiting):
    """Carry out the changes, adding to ``done`` and ``waiting``; return what is observed then. Raises MsrSafeError."""
    os.umask(0o022)  # What the role installs is for everyone to read, whatever root's shell is told
    machine = machine_of(options['root'])
    payloads = read_packed(options['_payloads']) if options['_payloads'] else {}
    with alone(machine):
        return carry_out(machine, options, payloads, is_check, done, waiting)


def carry_out(machine, options, payloads, is_check, done, waiting):
    """Do as apply(), with the payloads that were sent, {place of the change: bytes}."""
    notes = []
    with prologs_held(machine, options['changes']) as jobs:
        for place, change in enumerate(options['changes']):
            if jobs and disturbs(change):
                waiting += deferrals([defer_for_jobs(change, jobs)])
                continue
            try:
                if not is_check:
                    notes += carry_out_change(machine, change, payloads.get(str(place)))
            except MsrSafeError as error:
                raise MsrSafeError(
                    'Stage %s: %s' % (change['stage'], error.problem),
                    '\n'.join(filter(None, [error.remedy, 'What was to be done after that is left undone.'])),
                ) from error
            done.append(describe_change(change))
    if not is_check and options['waiting'] is not None:
        remember_deferred(machine, waiting, MEMORIES[options['role']])
    if not options['verify']:
        return {'notes': notes}
    return {'notes': notes, 'observed': observe_node(machine, **options['verify'])}


@contextlib.contextmanager
def prologs_held(machine, changes):
    """Yield the jobs on the node; no other begins or ends meanwhile, where there are changes that it would feel."""
    if not any(map(disturbs, changes)) or not machine.exists(DIRECTORY):
        yield []
        return
    with jobs_locked(machine):
        yield list(read_records(machine))


if __name__ == '__main__':
    main()
