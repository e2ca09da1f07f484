# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the command line, as `python3 tests/sanitizer/sanitizer`."""

import sys
from pathlib import Path

tests = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(tests / path) for path in ('sanitizer', 'matrix', 'fleet', 'tools')]

if __name__ == '__main__':
    from sanitizer.cli import main

    sys.exit(main())
