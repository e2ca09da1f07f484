# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host must have."""

import os
import shutil
from pathlib import Path

from fleet.errors import FleetError

PACKAGES = Path(__file__).resolve().parents[2] / 'requirements/packages.txt'

# Debian keeps mkfs out of an ordinary user's PATH
os.environ['PATH'] += ':/usr/sbin:/sbin'


def require_programs(*programs):
    """Raise FleetError unless all of these are installed."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        rows = [line.split() for line in PACKAGES.read_text().splitlines()]
        packages = ' '.join(row[1] for row in rows if row[:1] == ['fleet'])
        raise FleetError(
            f'{" and ".join(missing)} not found. Install what the fleet needs: sudo apt-get install {packages}'
        )


def require_space(directory, size):
    """Raise FleetError unless the file system of the directory has `size` bytes free."""
    free = shutil.disk_usage(directory).free
    if free < size:
        raise FleetError(
            f'{directory} has {free >> 20} MiB free, and {size >> 20} MiB are needed. '
            'Free some, or choose another place: XDG_CACHE_HOME for images, --state for nodes.'
        )
