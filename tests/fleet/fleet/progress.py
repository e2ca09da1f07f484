# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress lines on standard error, each with the seconds since the command started."""

import os
import select
import subprocess
import sys
import time

GRACE = 5  # seconds for a command to end when we are interrupted

_started = time.monotonic()


def say(text):
    """Print one progress line."""
    print(f'[{time.monotonic() - _started:4.0f} s] {text}', file=sys.stderr, flush=True)


def run_with_progress(what, command, log, milestone, environment=None, interval=5):
    """Run a long command; say each of its steps when it begins, and again every `interval` seconds.

    what: str, the start of each line. log: writable binary file that receives the whole output.
    milestone: function from an output line (str) to the step that begins with it, or None.
    environment: dict, what is added to ours.
    Returns the exit code.
    """
    step = 'starting'
    next_word = time.monotonic() + interval
    with subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            for line in _lines_or_silence(process.stdout, interval):
                log.write(line)
                begun = milestone(line.decode(errors='replace'))
                if begun or time.monotonic() > next_word:
                    step = begun or step
                    say(f'{what}: {step}')
                    next_word = time.monotonic() + interval
        except BaseException:
            process.terminate()
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:  # unshare waits for its child, deaf to this
                process.kill()
            raise
    return process.returncode


def _lines_or_silence(pipe, interval):
    """Yield the lines of a pipe as they come, and b'' whenever none came for `interval` seconds."""
    buffered = b''
    while True:
        ready = select.select([pipe], [], [], interval)[0]
        if not ready:
            yield b''
            continue
        chunk = pipe.read1()
        if not chunk:
            break
        *lines, buffered = (buffered + chunk).split(b'\n')
        yield from (line + b'\n' for line in lines)
    if buffered:
        yield buffered
