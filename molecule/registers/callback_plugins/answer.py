# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what a module returned, all of it, as JSON: what people are shown leaves out warnings and diff."""

import json

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'stdout'
    CALLBACK_NAME = 'answer'

    def v2_runner_on_ok(self, result):
        self._display.display(json.dumps(result._result, default=str))

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.v2_runner_on_ok(result)

    def v2_runner_on_unreachable(self, result):
        self.v2_runner_on_ok(result)
