# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The actions of the role slurm, beside those of actions.py."""

import os

from ..errors import MsrSafeError
from ..jobs.record import read_records
from .actions import BUILT_MODULE, action
from .slurm_node import PLUGIN_STAMP, wanted_at_boot


@action()
def write_program(machine, change, _payload):
    machine.write(change['path'], change['content'].encode('utf-8'), mode=0o755)


@action(payload=BUILT_MODULE)
def deliver_plugin(machine, change, payload):
    """Install the plugin that was built for the node's Slurm, then say which it is: a stamp never tells too much."""
    machine.write(change['path'], payload)
    machine.write(PLUGIN_STAMP, (change['stamp'] + '\n').encode('ascii'))


@action()
def enable_service_of_jobs(machine, change, _payload):
    """Have a unit of ours, at ``path``, start at each boot. now: what systemctl does with it, if anything."""
    link = machine.path(wanted_at_boot(change['path']))
    if not os.path.lexists(link):
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(change['path'], link)
    if change['systemd']:
        name = os.path.basename(change['path'])
        machine.command('systemctl', 'daemon-reload')
        machine.run(['systemctl', 'reset-failed', name])  # systemd starts none that it has given up
        machine.command('systemctl', change['now'], name)


@action()
def disable_service_of_jobs(machine, change, _payload):
    """The other way round."""
    machine.remove(wanted_at_boot(change['path']))
    if change['systemd'] and change['now']:
        machine.command('systemctl', change['now'], os.path.basename(change['path']))
    if change['systemd']:
        machine.command('systemctl', 'daemon-reload')


@action()
def restart_slurmd(machine, change, _payload):
    """Have each slurmd of these ``units`` see the plugin: it looks once whether one has a prolog.

    Where it was stopped, it stays so.
    """
    jobs = list(read_records(machine))
    if jobs:
        raise MsrSafeError('Job %s began meanwhile: slurmd is not restarted.' % jobs[0], 'Apply the role again.')
    machine.command('systemctl', 'try-restart', *change['units'])
