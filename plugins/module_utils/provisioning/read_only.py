# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Directories of a machine that are read only, as on nodes whose root is."""

import os

# Where the role writes; each may be a mount of its own
DIRECTORIES = ('/etc', '/lib/modules', '/usr', '/var/lib')


def observe_read_only(machine):
    """Return those of DIRECTORIES that are on a file system that is mounted read only."""
    places = {directory: machine.place(directory) for directory in DIRECTORIES}
    return [directory for directory, place in places.items() if place and is_read_only(place)]


def is_read_only(place):
    """Return whether what exists of a path, or is to be made for it, cannot be written by anybody."""
    while not os.path.exists(place):
        place = os.path.dirname(place)
    return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
