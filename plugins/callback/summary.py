# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Say at the end of a run what became of the nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
type: aggregate
short_description: Say at the end of a run how many nodes have msr-safe as wanted, and why others have not
version_added: 2.0.0
description:
  - Counts the nodes that the role P(hpc.msr_safe.msr_safe#role) found as wanted, changed, deferred, failed on, could
    not reach, or that a play which was broken off left alone.
  - Says each reason once, with its nodes as ranges such as C(n[001-117]).
  - Says nothing where the role was not in the run.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
requirements:
  - To be named in C(callbacks_enabled) of C(ansible.cfg), or in the environment variable E(ANSIBLE_CALLBACKS_ENABLED).
options:
  file:
    description: A file on the controller to write the summary to, too, as JSON.
    type: path
    env:
      - name: MSR_SAFE_SUMMARY
    ini:
      - section: msr_safe
        key: summary
"""

import json

from ansible.plugins.callback import CallbackBase

from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine
from ..plugin_utils.fleet_summary import FleetSummary

PLAN = 'hpc.msr_safe.msr_safe_plan'
BUILD = 'hpc.msr_safe.msr_safe_build'
APPLY = 'hpc.msr_safe.msr_safe_apply'
DRAIN = 'hpc.msr_safe.msr_safe_drain'
# The stage of a task, where its error names none
STAGES = {PLAN: 'plan', BUILD: 'build', APPLY: 'apply', DRAIN: 'drain'}


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'hpc.msr_safe.summary'
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.summary = FleetSummary()
        self.waiting = []

    def v2_playbook_on_play_start(self, play):
        # Each wave of a play is told to start, with the inventory restricted to it
        inventory = play.get_variable_manager()._inventory
        hosts = inventory.get_hosts(play.hosts, ignore_restrictions=True) if inventory else []
        self.waiting = [host.get_name() for host in hosts]

    def v2_runner_on_ok(self, result):
        action, answer = result._task.action, result._result
        if action == PLAN:
            self.summary.expect(self.waiting)
            self.summary.plan(result._host.get_name(), answer)
        elif action in (BUILD, APPLY, DRAIN):
            self.summary.apply(result._host.get_name(), answer)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.fail(result, unreachable=False)

    def v2_runner_on_unreachable(self, result):
        self.fail(result, unreachable=True)

    def fail(self, result, unreachable):
        stage = STAGES.get(result._task.action)
        if stage:
            self.summary.expect(self.waiting)
            self.summary.apply(result._host.get_name(), result._result)
            self.summary.fail(result._host.get_name(), stage, result._result.get('msg'), unreachable)

    def v2_playbook_on_stats(self, stats):
        lines = self.summary.as_text()
        if not lines:
            return
        self._display.banner('MSR-SAFE')
        for line in lines:
            self._display.display(line)
        path = self.get_option('file')
        if path:
            try:
                Machine().write(path, (json.dumps(self.summary.as_data(), indent=2) + '\n').encode('utf-8'))
            except MsrSafeError as error:
                self._display.warning(str(error))
