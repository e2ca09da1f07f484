# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the packages as tests/matrix/matrix does."""

import sys
from pathlib import Path

tests = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(tests / path) for path in ('matrix', 'fleet', 'tools')]
