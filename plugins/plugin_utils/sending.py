# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Sending bytes along with a module."""

from __future__ import annotations

import tempfile


def send(action, content):
    """Put bytes into a file on the host of an action plugin's task; return its path there."""
    if not action._connection._shell.tmpdir:
        action._make_tmp_path()
    remote = action._connection._shell.join_path(action._connection._shell.tmpdir, 'payloads')
    with tempfile.NamedTemporaryFile() as local:
        local.write(content)
        local.flush()
        action._transfer_file(local.name, remote)
    action._fixup_perms2((action._connection._shell.tmpdir, remote))
    return remote
