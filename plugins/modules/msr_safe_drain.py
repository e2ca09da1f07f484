#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Drain a node in Slurm, wait for its jobs, resume it."""

DOCUMENTATION = r"""
module: msr_safe_drain
short_description: Drain a node in Slurm, wait for its jobs to end, and resume it
version_added: 2.0.0
description:
  - Not for users but for the role P(hpc.msr_safe.msr_safe#role), which calls it where C(msr_safe_drain) is true.
  - Runs C(scontrol) and C(squeue) on the host of the task, which has to reach slurmctld as one who may update nodes.
  - The reason that Slurm keeps begins with C(hpc.msr_safe). A drain with any other reason is not touched, neither is a
    node that is down.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes
options:
  node:
    description: The node, as C(NodeName) in C(slurm.conf).
    type: str
    required: true
  state:
    description:
      - V(drained) - no more jobs for the node. Does not wait.
      - V(idle) - wait until no job is on it. Where that takes too long the node is resumed, and RV(busy) says why.
      - V(resumed) - the node gets jobs again.
    type: str
    choices: [drained, idle, resumed]
    required: true
  why:
    description: What the node is drained for, a line each. With O(state=drained) and nothing here, nothing is drained.
    type: list
    elements: str
    default: []
  since:
    description: When the node was drained, RV(since) of that. O(timeout) counts from there.
    type: float
  timeout:
    description: How long to wait, in seconds.
    type: int
    default: 3600
  interval:
    description: How often to ask Slurm meanwhile, in seconds.
    type: float
    default: 10
  bindir:
    description: Where Slurm's commands are. By default where root finds them.
    type: str
    default: ''
attributes:
  diff_mode:
    description: What is done is a line.
    support: none
seealso:
  - module: hpc.msr_safe.msr_safe_plan
"""

EXAMPLES = r"""
- name: Drain the node, for what a plan says
  hpc.msr_safe.msr_safe_drain:
    node: "{{ inventory_hostname_short }}"
    state: drained
    why: "{{ plan.needs_idle }}"
  delegate_to: slurm-controller

- name: Give it back
  hpc.msr_safe.msr_safe_drain:
    node: "{{ inventory_hostname_short }}"
    state: resumed
  delegate_to: slurm-controller
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode, a line each.
  returned: always
  type: list
  elements: str
  sample: ["drain: drain n1 in Slurm (approve: activate al_0655)"]
ours:
  description: Whether the node is drained by this collection, now or when it was asked.
  returned: O(state=drained)
  type: bool
since:
  description: When that was.
  returned: O(state=drained)
  type: float
busy:
  description: Why the node cannot be had now; empty if it can.
  returned: O(state=drained) and O(state=idle)
  type: str
  sample: "not drained in time: job 42 is on the node"
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import MsrSafeError
from ..module_utils.jobs.drain import Drain, SlurmAway, gets_jobs, is_drained_by_us, words_for_jobs
from ..module_utils.machine import Machine


def main():
    module = AnsibleModule(
        argument_spec={
            'node': {'type': 'str', 'required': True},
            'state': {'type': 'str', 'choices': ['drained', 'idle', 'resumed'], 'required': True},
            'why': {'type': 'list', 'elements': 'str', 'default': []},
            'since': {'type': 'float'},
            'timeout': {'type': 'int', 'default': 3600},
            'interval': {'type': 'float', 'default': 10},
            'bindir': {'type': 'str', 'default': ''},
        },
        supports_check_mode=True,
    )
    drain = Drain(Machine(), module.params['node'], module.params['bindir'])
    acts = {'drained': begin, 'idle': wait, 'resumed': end}
    try:
        answer = acts[module.params['state']](drain, module.params, module.check_mode)
    except MsrSafeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(answer['done']), **answer)


def begin(drain, options, is_check):
    """Drain the node for what is to be done; without that, see whether a run that was broken off left it drained."""
    answer = {'done': [], 'ours': False, 'busy': '', 'since': drain.clock()}
    why = '; '.join(options['why'])
    try:
        before = drain.state()
        answer['ours'] = is_drained_by_us(before)
        if not why or not gets_jobs(before):
            return answer
        jobs = drain.jobs()
        if not is_check:
            drain.begin(why)
            answer['ours'] = True
    except SlurmAway as error:
        return dict(answer, busy=error.problem)
    wait = ', and wait up to %d s, as %s' % (options['timeout'], words_for_jobs(jobs)) if jobs else ''
    answer['done'] = ['drain: drain %s in Slurm%s (%s)' % (drain.node, wait, why)]
    return answer


def wait(drain, options, is_check):
    """Wait until the node is idle."""
    if is_check:
        return {'done': [], 'busy': ''}
    since = drain.clock() if options['since'] is None else options['since']
    return {'done': [], 'busy': drain.wait(since + options['timeout'], options['interval']) or ''}


def end(drain, options, is_check):
    """Resume the node where the drain is ours."""
    is_due = is_drained_by_us(drain.state()) if is_check else drain.end()
    return {'done': ['drain: resume %s in Slurm' % drain.node] if is_due else []}


if __name__ == '__main__':
    main()
