# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Whether an msr-job stands by on a node (commands/standby.py), for prologs and epilogs to ask."""

import os
import socket
import time

from .record import DIRECTORY

PATH = os.path.dirname(DIRECTORY) + '/standby'
INTERVAL = 0.1


def stands_by(machine, patience=0):
    """Return whether somebody listens there. patience: seconds for one that is being started."""
    place = machine.place(PATH, follow=False)
    deadline = time.monotonic() + patience
    while not (place and listens(place)):
        if time.monotonic() >= deadline:
            return False
        time.sleep(INTERVAL)
    return True


def listens(place):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(1)
        try:
            connection.connect(place)
        except OSError:
            return False
        return True
