# SPDX-License-Identifier: GPL-3.0-or-later
"""Make stages, which are targets of the Makefile, and close with what they have shown.

    run_stages.py [--title TEXT] [--left-out TEXT]… [WORKERS] STAGE… [-- [WORKERS] STAGE…]…

Between `--` are phases, one after the other. The workers of a phase (one, if no number is there) take its stages in
their order, each the next one as soon as it is free. Of the first phase all stages have to succeed, or nothing else is
made; of the others each is made, whatever becomes of the rest.

What a stage says goes to build/logs. Shown are what test runners say at the end (CI reads it), what a stage does every
minute, and the last words of one that fails, with the command that makes only it. At the end: a table, the tests that
took longest, and what was left out; build/logs/last-run keeps all of that, with the commit.
"""

import argparse
import collections
import datetime
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import threading
import time

LOGS = pathlib.Path('build/logs')
LAST_RUN = LOGS / 'last-run'

SUMMARY = re.compile(r'(=+ )?\d+ (passed|failed|error|skipped)\b.* in \d|=+ no tests ran')
PASSED = re.compile(r'\b(\d+) passed\b')
DURATION = re.compile(r'(\d+\.\d\d)s (call|setup|teardown) +(\S.*)')
# A stage's word for what it does not do here; a test's that is skipped, as pytest and as tests/matrix say it
LEFT_OUT = re.compile(r'(?:skipped|left out): (.+)')
SKIPPED_TEST = re.compile(r'.*::.* SKIPPED \((.+)\)|- \S+: (?P<count>\d+) skipped: (?P<reason>.+)')
COLOUR = re.compile(r'\x1b\[[0-9;]*m')

SHOWN = 60  # lines of a stage that failed
SLOWEST = 15
SLOW = 10  # seconds: what is worth naming
MINUTE = 60
# Frames of tools are as wide as this: a test's name is longer than a terminal's line
WIDTH = '180'

STARTED = time.monotonic()
said = threading.Lock()
asked_to_end = []  # the numbers of the signals


class Stage:
    """A target of the Makefile, made with its output in a file."""

    def __init__(self, name):
        self.name = name
        self.log = LOGS / f'{name}.log'
        self.seconds = 0
        self.result = 'not run'
        self.process = None

    def make(self):
        say(f'==> {self.name}')
        started = time.monotonic()
        self.result = 'running'
        with self.log.open('wb') as log:
            self.process = subprocess.Popen(
                ['make', '--no-print-directory', self.name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, 'COLUMNS': WIDTH},
            )
            self.wait()
        self.seconds = time.monotonic() - started
        if self.result == 'running':
            self.result = 'FAILED' if self.process.returncode else 'passed'
        say(*self.closing())

    def end(self):
        """Let make, and what it runs, clean up and end."""
        if self.result == 'running':
            self.result = 'ended'
            self.process.terminate()

    def wait(self):
        while True:
            try:
                self.process.wait(MINUTE)
                return
            except subprocess.TimeoutExpired:
                say(f'    {self.name}: {"".join(self.lines()[-1:])[:90]}')

    def lines(self):
        """What it said, without the colours and frames of some tools."""
        if not self.log.exists() or self.result == 'not run':
            return []
        text = COLOUR.sub('', self.log.read_text(errors='replace'))
        return [line.strip(' │\r') for line in text.splitlines() if line.strip(' │\r')]

    def closing(self):
        """Return what is shown at the end of the stage."""
        lines = self.lines()
        first = f'<== {self.name}: {self.result} in {clock(self.seconds)}'
        if self.result == 'passed':
            return [first, *(line for line in lines if SUMMARY.match(line))]
        return [first, *lines[-SHOWN:], f'All of its output: {self.log}', f'Only this stage: {self.command()}']

    def command(self):
        """The command that makes only this stage, as it was made here."""
        brief = 'MSR_SAFE_BRIEF=1 ' if os.environ.get('MSR_SAFE_BRIEF') == '1' else ''
        # What the caller gave make on its command line, in make's own notation: `flags -- NAME=value …`
        given = os.environ.get('MAKEFLAGS', '').partition('-- ')[2]
        return ' '.join(filter(None, [f'{brief}make {self.name}', given]))

    def tests(self):
        """Return how many tests have passed."""
        return sum(int(PASSED.search(line)[1]) for line in self.lines() if SUMMARY.match(line) and PASSED.search(line))

    def durations(self):
        """Yield (seconds, what) of each test of which a runner said how long it took."""
        for found in filter(None, map(DURATION.match, self.lines())):
            part = '' if found[2] == 'call' else f' ({found[2]})'
            yield float(found[1]), f'{self.name}: {found[3]}{part}'

    def left_out(self):
        """Return what the stage said that it does not do, and how many tests were skipped for which reason."""
        lines = self.lines()
        skipped = collections.Counter()
        for found in filter(None, map(SKIPPED_TEST.match, lines)):
            skipped[found['reason'] or found[1]] += int(found['count'] or 1)
        said_so = [found[1] for found in map(LEFT_OUT.match, lines) if found]
        return [
            f'{self.name}: {what}'
            for what in [
                *dict.fromkeys(said_so),
                *(f'{count} test{"s"[: count > 1]}: {why}' for why, count in skipped.items()),
            ]
        ]

    def row(self):
        return row(self.name, self.result, self.seconds, self.tests())


def row(name, result, seconds, tests):
    return f'{name:20} {result:8} {clock(seconds):>7} {tests or "":>6}'


def clock(seconds):
    return f'{int(seconds) // 60}:{int(seconds) % 60:02}'


def say(first, *lines):
    with said:
        print(f'[{clock(time.monotonic() - STARTED):>5}] {first}', *lines, sep='\n', flush=True)


class Phase:
    """Stages that workers take in their order."""

    def __init__(self, words):
        self.workers = int(words.pop(0)) if words and words[0].isdigit() else 1
        self.stages = [Stage(word) for word in words]
        self.waiting = queue.SimpleQueue()
        for stage in self.stages:
            self.waiting.put(stage)

    def run(self):
        threads = [threading.Thread(target=self.work) for _number in range(self.workers)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.1)
            if asked_to_end:
                self.end()

    def work(self):
        while True:
            try:
                self.waiting.get_nowait().make()
            except queue.Empty:
                return

    def end(self):
        """End what runs, and begin nothing more."""
        self.waiting = queue.SimpleQueue()
        for stage in self.stages:
            stage.end()

    @property
    def succeeded(self):
        return all(stage.result == 'passed' for stage in self.stages)


def run(phases):
    """Run the phases, the first of which has to succeed."""
    for phase in phases:
        phase.run()
        if asked_to_end or (phase is phases[0] and not phase.succeeded):
            return


def report(heading, phases, left_out):
    """Return the lines that tell what a run of the phases has shown, below a heading."""
    stages = [stage for phase in phases for stage in phase.stages]
    succeeded = all(phase.succeeded for phase in phases)
    made = [stage for stage in stages if stage.result != 'not run']
    slow = sorted((seconds, what) for stage in made for seconds, what in stage.durations() if seconds >= SLOW)
    out = [what for stage in made for what in stage.left_out()] + left_out
    return [
        heading,
        '',
        f'{"stage":20} {"result":8} {"minutes":>7} {"tests":>6}',
        *(stage.row() for stage in stages),
        row(
            'all',
            'passed' if succeeded else 'FAILED',
            time.monotonic() - STARTED,
            sum(stage.tests() for stage in made),
        ),
        *(['', 'Tests that took longest:'] if slow else []),
        *(f'{seconds:7.0f} s  {what}' for seconds, what in slow[: -SLOWEST - 1 : -1]),
        *(['', 'Left out:'] if out else []),
        *(f'- {what}' for what in out),
        *(['', 'FAILED:'] if not succeeded else []),
        *(f'  {stage.command()}' for stage in made if stage.result != 'passed'),
    ]


def commit():
    name = output('git', 'rev-parse', '--short', 'HEAD').strip()
    return f'{name} with uncommitted changes' if output('git', 'status', '--porcelain') else name


def output(*command):
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout if done.returncode == 0 else 'unknown'


def parse(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument('--title', default='stages')
    parser.add_argument('--left-out', action='append', default=[])
    parser.add_argument('words', nargs=argparse.REMAINDER)
    given = parser.parse_args(arguments)
    phases = [[]]
    for word in given.words:
        if word == '--':
            phases.append([])
        else:
            phases[-1].append(word)
    return given.title, given.left_out, [Phase(words) for words in phases if words]


def main():
    title, left_out, phases = parse(sys.argv[1:])
    LOGS.mkdir(parents=True, exist_ok=True)
    began = datetime.datetime.now(datetime.timezone.utc)
    heading = f'{title}: began {began:%Y-%m-%d %H:%M} UTC, of commit {commit()}'
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: asked_to_end.append(number))
    run(phases)
    lines = report(heading, phases, left_out)
    LAST_RUN.write_text('\n'.join(lines) + '\n')
    print('', *lines, sep='\n', flush=True)
    if asked_to_end:
        return 128 + asked_to_end[0]
    return 0 if all(phase.succeeded for phase in phases) else 1


if __name__ == '__main__':
    sys.exit(main())
