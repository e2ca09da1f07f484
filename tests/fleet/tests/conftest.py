# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the package as tests/fleet/fleet does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
