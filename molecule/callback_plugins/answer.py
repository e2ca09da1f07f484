# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what each task returned, all of it, as a line of JSON: what people are shown leaves out warnings and diff."""

import json

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'stdout'
    CALLBACK_NAME = 'answer'

    def v2_runner_on_ok(self, result):
        self.say(result, failed=False)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.say(result, failed=True)

    def v2_runner_on_unreachable(self, result):
        self.say(result, failed=True)

    def say(self, result, failed):
        answer = {
            'node': result._host.get_name(),
            'task': result._task.get_name(),
            'failed': failed,
            'returned': result._result,
        }
        self._display.display(json.dumps(answer, default=str))
