# SPDX-License-Identifier: GPL-3.0-or-later
"""Make stages, which are targets of the Makefile, in tracks side by side, and close with a table of results.

    run_stages.py STAGE… -- STAGE… -- STAGE…

The first track goes first, and has to succeed. The others then run at the same time, the stages of each one
after the other, whatever becomes of others. What a stage says goes to build/logs; shown are what runners say at
the end (CI reads it), tests of 10 s and more, what a stage does every minute, and the end of the output of one that
fails.
"""

import itertools
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

LOGS = pathlib.Path('build/logs')
SUMMARY = re.compile(
    r'(=+ )?\d+ (passed|failed|error|skipped)\b.* in \d|=+ no tests ran|skipped: |\d\d+\.\d\ds (call|setup)\b'
)
COLOUR = re.compile(r'\x1b\[[0-9;]*m')
SHOWN = 200  # lines of a stage that failed
MINUTE = 60

STARTED = time.monotonic()
said = threading.Lock()
ended = threading.Event()


class Stage:
    """A target of the Makefile, made with its output in a file."""

    def __init__(self, name):
        self.name = name
        self.log = LOGS / f'{name}.log'
        self.seconds = 0
        self.result = 'not run'

    def make(self):
        say(f'==> {self.name}')
        started = time.monotonic()
        with self.log.open('wb') as log:
            make = subprocess.Popen(
                ['make', '--no-print-directory', self.name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            self.wait(make)
        self.seconds = time.monotonic() - started
        self.result = 'FAILED' if make.returncode else 'passed'
        say(*self.closing())

    def wait(self, make):
        while True:
            try:
                make.wait(MINUTE)
                return
            except subprocess.TimeoutExpired:
                say(f'    {self.name}: {"".join(self.lines()[-1:])[:90]}')

    def lines(self):
        text = COLOUR.sub('', self.log.read_text(errors='replace'))
        return [line.strip(' │\r') for line in text.splitlines() if line.strip(' │\r')]

    def closing(self):
        """Return what is shown at the end of the stage."""
        lines = self.lines()
        shown = [line for line in lines if SUMMARY.match(line)]
        if self.result == 'FAILED':
            shown = [*lines[-SHOWN:], f'all of its output is in {self.log}']
        return [f'<== {self.name}: {self.result} in {clock(self.seconds)}', *shown]

    def row(self):
        return row(self.name, self.result, self.seconds)


def row(name, result, seconds):
    return f'{name:20} {result:8} {clock(seconds):>7}'


def clock(seconds):
    return f'{int(seconds) // 60}:{int(seconds) % 60:02}'


def say(first, *lines):
    with said:
        print(f'[{clock(time.monotonic() - STARTED):>5}] {first}', *lines, sep='\n', flush=True)


def run_track(stages):
    for stage in stages:
        if not ended.is_set():
            stage.make()


def run(tracks):
    """Make all stages; return whether all succeeded."""
    first, *others = tracks
    run_track(first)
    if all(stage.result == 'passed' for stage in first):
        threads = [threading.Thread(target=run_track, args=[track]) for track in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return all(stage.result == 'passed' for track in tracks for stage in track)


def split(words):
    groups = itertools.groupby(words, lambda word: word == '--')
    return [[Stage(word) for word in group] for separates, group in groups if not separates]


def end(number, _frame):
    """End: what runs now is in the same process group, and got the signal, too."""
    ended.set()
    sys.exit(128 + number)


def main():
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    LOGS.mkdir(parents=True, exist_ok=True)
    tracks = split(sys.argv[1:])
    succeeded = run(tracks)
    rows = [stage.row() for track in tracks for stage in track]
    print('', *rows, row('total', 'passed' if succeeded else 'FAILED', time.monotonic() - STARTED), sep='\n')
    return 0 if succeeded else 1


sys.exit(main())
