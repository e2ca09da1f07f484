# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Whether an msr-job stands by on a node (commands/standby.py), for prologs and epilogs to ask."""

import os
import socket

from .record import DIRECTORY

PATH = os.path.dirname(DIRECTORY) + '/standby'


def stands_by(machine):
    """Return whether somebody listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(1)
        try:
            connection.connect(machine.path(PATH))
        except OSError:
            return False
        return True
