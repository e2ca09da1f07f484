# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpack what the newest Slurm in Debian's archive gives its plugins to compile, into a directory.

slurm_headers.py DIRECTORY
"""

import pathlib
import shutil
import subprocess
import sys

TESTS = pathlib.Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / 'fleet'), str(TESTS / 'matrix')]

from fleet import mirror  # noqa: E402
from matrix.kernels import sources  # noqa: E402


def main():
    directory = pathlib.Path(sys.argv[1])
    shutil.rmtree(directory, ignore_errors=True)
    options = [f'--aptopt={option}' for option in mirror.options()]
    unpack = ['mmdebstrap', '--variant=extract', '--include=libslurm-dev', *options]
    subprocess.run([*unpack, 'sid', directory, *sources('sid')], check=True)


if __name__ == '__main__':
    main()
