# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the command line, as `python3 tests/fleet/fleet` (no set-up) or `python3 -m fleet`."""

import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from fleet.cli import main

sys.exit(main())
