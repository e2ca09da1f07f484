# SPDX-License-Identifier: GPL-3.0-or-later
"""Record a command in a terminal, and make a moving picture of the recording.

    cast.py record CAST COMMAND…    an asciicast (version 2), which `asciinema play` plays
    cast.py picture CAST SVG        the same as an SVG that moves by itself; pauses are cut short

What scrolls past is shown as it was printed: nothing is left out but time.
"""

import fcntl
import html
import itertools
import json
import os
import pty
import re
import select
import struct
import sys
import termios
import time

from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 118, 30
LONGEST_PAUSE = 1.2  # seconds, in the picture
LAST_PAUSE = 10
LEAST_PAUSE = 0.15  # what is printed within it comes at once

CHARACTER, LINE, MARGIN = 8.4, 18, 16
BACKGROUND = '#1b1f24'
TEXT = '#d6dae0'
# Of the 8 colours of a terminal, plain and bright
PLAIN = ('#1b1f24', '#ff7b72', '#7ee787', '#e3b341', '#79c0ff', '#d2a8ff', '#76e3ea', '#d6dae0')
BRIGHT = ('#8b949e', '#ffa198', '#a5f3ab', '#f2cc60', '#a5d6ff', '#e2c5ff', '#b3f0ff', '#ffffff')

CONSOLE = Console()


def record(cast, command):
    """Run a command in a terminal of its own; return its exit status."""
    with open(cast, 'w', encoding='utf-8') as stream:
        header = {
            'version': 2,
            'width': COLUMNS,
            'height': ROWS,
            'timestamp': int(time.time()),
            'command': ' '.join(command),
        }
        stream.write(json.dumps(header) + '\n')
        began = time.monotonic()
        child, terminal = pty.fork()
        if child == 0:
            os.environ.update(TERM='xterm-256color', COLUMNS=str(COLUMNS), LINES=str(ROWS))
            os.execvp(command[0], command)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', ROWS, COLUMNS, 0, 0))
        for printed in read_all(terminal):
            stream.write(json.dumps([round(time.monotonic() - began, 3), 'o', printed], ensure_ascii=False) + '\n')
            sys.stdout.write(printed)
            sys.stdout.flush()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def read_all(terminal):
    """Yield what is printed, as it comes, whole characters at a time."""
    rest = b''
    while True:
        select.select([terminal], [], [])
        try:
            block = os.read(terminal, 65536)
        except OSError:  # Nobody has the other end open any more
            block = b''
        if not block:
            return
        text = (rest + block).decode('utf-8', 'ignore')
        rest = (rest + block)[len(text.encode('utf-8')) :]
        yield text


def picture(cast, svg):
    lines, times = lines_of(cast)
    with open(svg, 'w', encoding='utf-8') as stream:
        stream.write(svg_of(lines, times))


def lines_of(cast):
    """Return (lines, when each was whole), in seconds from the beginning, pauses cut short."""
    with open(cast, encoding='utf-8') as stream:
        next(stream)  # the header
        events = [json.loads(line) for line in stream]
    lines, times, now, before, rest = [], [], 0.0, 0.0, ''
    for when, kind, printed in events:
        if kind != 'o':
            continue
        now += min(when - before, LONGEST_PAUSE)
        before = when
        *whole, rest = (rest + printed).replace('\r\n', '\n').split('\n')
        for line in whole:
            for row in rows_of(line, COLUMNS):
                lines.append(row)
                times.append(now)
    return lines, times


def rows_of(line, width):
    """Return a line as rich Texts no longer than the terminal; of what was overwritten, what stayed."""
    text = Text.from_ansi(re.sub(r'.*\r(?!$)', '', line).rstrip('\r'))
    return [text[start : start + width] for start in range(0, max(1, len(text)), width)]


def svg_of(lines, times):
    """Return the picture: all lines in a column, moved up behind a window as they come."""
    width, height = COLUMNS * CHARACTER + 2 * MARGIN, ROWS * LINE + 2 * MARGIN
    duration = times[-1] + LAST_PAUSE
    frames, shown = [], -LEAST_PAUSE
    for count, (when, after) in enumerate(zip(times, [*times[1:], None]), 1):
        if after is None or after - shown >= LEAST_PAUSE:
            shown = when
            frames.append(f'{100 * when / duration:.2f}%{{transform:translateY({(ROWS - count) * LINE}px)}}')
    end = (ROWS - len(lines)) * LINE
    rows = ''.join(row_of(number, line) for number, line in enumerate(lines))
    return (
        '<!-- SPDX-License-'
        'Identifier: GPL-3.0-or-later -->\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">\n'
        '<title>What the terminal shows</title>\n'
        '<style>'
        f'text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}}'
        f'#lines{{transform:translateY({end}px);animation:scroll {duration:.1f}s step-end infinite}}'
        f'@media(prefers-reduced-motion:reduce){{#lines{{animation:none}}}}'
        f'@keyframes scroll{{0%{{transform:translateY({ROWS * LINE}px)}}{"".join(frames)}}}'
        '</style>\n'
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>\n'
        f'<svg x="{MARGIN}" y="{MARGIN}" width="{COLUMNS * CHARACTER:g}" height="{ROWS * LINE}"><g id="lines">\n'
        f'{rows}</g></svg>\n</svg>\n'
    )


def row_of(number, line):
    """Return a line's runs of one style, each where its column is, whatever the font's width."""
    found = []
    boundaries = sorted({0, len(line), *(edge for span in line.spans for edge in (span.start, span.end))})
    for start, end in itertools.pairwise(boundaries):
        run = line.plain[start:end]
        if run.strip():
            found.append(run_of(number, start, run, line.get_style_at_offset(CONSOLE, start)))
    return ''.join(found) + '\n' if found else ''


def run_of(number, start, run, style):
    indent = len(run) - len(run.lstrip())
    run = run.strip()
    weight = ' font-weight="bold"' if style.bold else ''
    faint = ' opacity=".6"' if style.dim else ''
    where = f'x="{(start + indent) * CHARACTER:.1f}" y="{number * LINE + 14}" textLength="{len(run) * CHARACTER:.1f}"'
    return f'<text {where} fill="{colour_of(style)}"{weight}{faint}>{html.escape(run, quote=False)}</text>'


def colour_of(style):
    """Return a run's colour, one of the terminal's 16."""
    if style.color is None or style.color.number is None:
        return TEXT
    return (PLAIN + BRIGHT)[style.color.number % 16]


def main():
    kind, cast, *rest = sys.argv[1:]
    if kind == 'record':
        return record(cast, rest)
    picture(cast, *rest)
    return 0


if __name__ == '__main__':
    sys.exit(main())
