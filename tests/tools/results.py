# SPDX-License-Identifier: GPL-3.0-or-later
"""What a long test run has shown, on a page of docs/results/."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / 'docs/results'


def write_page(name, title, command, body):
    """Write docs/results/`name`.md: what `command` has shown, when, on which source and which machine.

    body: str, Markdown. Returns the path.
    """
    PAGES.mkdir(parents=True, exist_ok=True)
    page = PAGES / f'{name}.md'
    page.write_text(
        '<!-- SPDX-License-Identifier: GPL-3.0-or-later -->\n'
        f'# {title}\n\n'
        f'`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, of commit {_commit()}, '
        f'on {os.cpu_count()} cores of {_processor()}, Linux {platform.release()}.\n\n'
        f'{body.strip()}\n'
    )
    return page


def table(header, rows):
    """A Markdown table that can be read as plain text too; header and rows are lists of cells."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ['| ' + ' | '.join(cell.ljust(width) for cell, width in zip(row, widths)) + ' |' for row in cells]
    lines.insert(1, '|' + '|'.join('-' * (width + 2) for width in widths) + '|')
    return '\n'.join(lines) + '\n'


def _commit():
    commit = _output('git', 'rev-parse', '--short', 'HEAD').strip()
    changed = _output('git', 'status', '--porcelain', '--', 'files/kmod', 'tests')
    return f'{commit} with uncommitted changes' if changed else commit


def _output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _processor():
    return re.search(r'^model name\s*: (.*)', Path('/proc/cpuinfo').read_text(), re.MULTILINE)[1]
