# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory where what took long to make is kept."""

import os
import shutil
import time
from pathlib import Path

KEEP_UNUSED = 24 * 3600  # seconds: another checkout may be at work with another recipe


def cache_directory():
    """${XDG_CACHE_HOME:-~/.cache}/hpc.msr_safe, made if absent."""
    path = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'hpc.msr_safe'
    path.mkdir(parents=True, exist_ok=True)
    return path


def unfinished(directory):
    """Where the directory is made before it is renamed: an interrupted attempt leaves only this. It is empty."""
    beside = directory.with_name(f'{directory.name}.unfinished')
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    return beside


def prune(directories):
    """Remove what interrupted attempts left, and what nobody used for a while: users renew the time of a directory."""
    for directory in directories:
        unused = time.time() - directory.stat().st_mtime
        if directory.suffix == '.unfinished' or unused > KEEP_UNUSED:
            shutil.rmtree(directory)
