# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Work that is done once in a run of Ansible, by whichever host comes first; all others get what came of it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os

from ansible import constants

from ..module_utils.errors import MsrSafeError
from ..module_utils.machine import Machine
from .failure import ActionFailure


def once(name, work, directory=None):
    """Return what work(), plain data, returned in this run for a name. Raises ActionFailure where it failed.

    The workers of a run, however its strategy orders them, share a directory that Ansible makes for the run and removes
    after it. Who comes while another one works, waits.
    """
    directory = directory or os.path.join(constants.DEFAULT_LOCAL_TMP, 'hpc.msr_safe')
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, hashlib.sha256(name.encode('utf-8')).hexdigest())
    with open(path + '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = Machine().read_text(path)
        outcome = json.loads(text) if text else attempt(work)
        if not text:
            Machine().write(path, json.dumps(outcome).encode('utf-8'), mode=0o600)
    if outcome['error'] is not None:
        raise ActionFailure(outcome['error'])
    return outcome['answer']


def attempt(work):
    """Return what came of work: ``{'answer': what it returned, 'error': text or None}``."""
    try:
        return {'answer': work(), 'error': None}
    except (ActionFailure, MsrSafeError) as error:
        return {'answer': None, 'error': str(error)}
