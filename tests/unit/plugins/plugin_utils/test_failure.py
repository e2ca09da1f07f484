# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import json

from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.failure import ActionFailure


def failure_of(error):
    """Return what is raised where an error was caught, as action plugins do."""
    try:
        raise error
    except MsrSafeError as caught:
        return ActionFailure(str(caught), result={'path': '/x'})


def test_a_failure_is_words_and_no_traceback():
    result = failure_of(MsrSafeError('It is full.', 'Empty it.')).result
    assert 'Traceback' not in json.dumps(result)
    assert result['path'] == '/x'
