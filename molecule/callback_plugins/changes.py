# SPDX-License-Identifier: GPL-3.0-or-later
"""Record what msr_safe_apply did, or said it would do, on each node: a line of JSON per run."""

import collections
import json
import os

from ansible import context
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'changes'
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.done = collections.defaultdict(list)

    def v2_runner_on_ok(self, result):
        self.done[result._host.get_name()] += result._result.get('done', [])

    def v2_playbook_on_stats(self, stats):
        run = {'check_mode': context.CLIARGS.get('check', False), 'done': self.done}
        with open(os.environ['MSR_SAFE_CHANGES'], 'a') as stream:
            stream.write(json.dumps(run) + '\n')
