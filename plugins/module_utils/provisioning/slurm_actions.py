# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The actions of the role slurm, beside those of actions.py."""

import os

from ..errors import MsrSafeError
from ..jobs.record import read_records
from .actions import ACTIONS, BUILT_MODULE, action
from .slurm_node import PLUGIN_STAMP, UNIT_ENABLED, observe_slurmd

# With those of the role msr_safe: {name: Action}
ALL_ACTIONS = ACTIONS

SERVICE = 'msr-safe-baseline.service'


@action()
def write_program(machine, change, _payload):
    machine.write(change['path'], change['content'].encode('utf-8'), mode=0o755)


@action(payload=BUILT_MODULE)
def deliver_plugin(machine, change, payload):
    """Install the plugin that was built for the node's Slurm, then say which it is: a stamp never tells too much."""
    machine.write(change['path'], payload)
    machine.write(PLUGIN_STAMP, (change['stamp'] + '\n').encode('ascii'))


@action()
def enable_baseline(machine, change, _payload):
    """Have the baseline brought back at each boot; take it now where the system runs."""
    link = machine.path(UNIT_ENABLED)
    if not os.path.lexists(link):
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(change['path'], link)
    if change['start']:
        machine.command('systemctl', 'daemon-reload')
        machine.command('systemctl', 'start', SERVICE)


@action()
def disable_baseline(machine, change, _payload):
    """Not stopped: slurmd requires it, and would be stopped, too."""
    machine.remove(UNIT_ENABLED)
    if change['start']:
        machine.command('systemctl', 'daemon-reload')


@action()
def restart_slurmd(machine, _change, _payload):
    """Have slurmd see the plugin: it looks once whether one has a prolog. Where it was stopped, it stays so."""
    jobs = list(read_records(machine))
    if jobs:
        raise MsrSafeError('Job %s began meanwhile: slurmd is not restarted.' % jobs[0], 'Apply the role again.')
    if observe_slurmd(machine):
        machine.command('systemctl', 'try-restart', 'slurmd.service')
