# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to the module on the sanitizer kernel, one stage after the other, and what each has shown."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from fleet.errors import FleetError
from fleet.progress import run_with_progress, say
from fleet.spec import NodeSpec
from matrix.module import ROOT
from matrix.suite import COMPLAINTS, PLACE, Suite

STAGES = ('contract', 'race', 'fuzz', 'reload', 'kmemleak')
HERE = Path(__file__).resolve().parent.parent
BUILD = ROOT / 'build/sanitizer'
HEADERS = ROOT / 'files/kmod/include/uapi'
NODE = 'sanitizer'
MODULE = f'{PLACE}/msr-safe.ko'

# Allocations fail where a program says which of its own should: /proc/self/fail-nth
FAILSLAB = """
mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null
cd /sys/kernel/debug
echo N > failslab/ignore-gfp-wait
echo 0 > failslab/verbose
echo N > fail_page_alloc/ignore-gfp-wait
echo 0 > fail_page_alloc/min-order
echo 0 > fail_page_alloc/verbose
echo clear > kmemleak
"""

# Twice: what has just been freed may still look like a leak
KMEMLEAK = 'cd /sys/kernel/debug; echo scan > kmemleak; sleep 5; echo scan > kmemleak; cat kmemleak'


@dataclass
class Stage:
    """One stage. summary: str, the last line that it printed; complaints: lines of the kernel log."""

    name: str
    failed: bool
    summary: str
    complaints: list[str]
    seconds: float

    @property
    def is_good(self):
        """Whether it passed and the kernel has not complained."""
        return not self.failed and not self.complaints


class Lane:
    """A virtual node with the sanitizer kernel, the module and the programs that attack it."""

    def __init__(self, fleet, kernel, only=''):
        self._fleet = fleet
        self._kernel = kernel
        self._tests = f'not lockdown and ({only})' if only else 'not lockdown'
        self._ssh = ['ssh', '-F', str(fleet.ssh_config), NODE]
        self._suite = Suite(fleet.ssh_config, NODE)

    def run(self, stages, minutes):
        """Yield the Stages of these names as they end. minutes: {'race': …, 'fuzz': …, …}. Raises FleetError."""
        BUILD.mkdir(parents=True, exist_ok=True)
        files = [*self._compile_module(), *_compile_programs(), HERE / 'node/reload.py']
        self._fleet.up([NodeSpec(NODE, 'Skylake-Server', cpus=4, memory='3G', kernel=str(self._kernel.directory))])
        self._suite.install(*files)
        self._check_output(FAILSLAB)
        if 'contract' in stages:
            yield self._contract()
        if 'race' in stages:
            yield self._program('race', f'./race {minutes["race"] * 60:.0f}')
        if 'fuzz' in stages:
            for bits in (64, 32):
                yield self._program(f'fuzz, {bits}-bit', f'./fuzz{bits} {minutes["fuzz"] * 30:.0f} $(date +%s)')
        if 'reload' in stages:
            yield self._program('reload', f'rmmod msr_safe; python3 reload.py {minutes["reload"] * 60:.0f}')
        if 'kmemleak' in stages:
            yield self._memory_leaks()

    def _compile_module(self):
        make = ['make', '-C', ROOT / 'files/kmod', f'OUT={BUILD}', f'KDIR={self._kernel.tree}']
        _run_quietly([*make, 'W=1', 'KCFLAGS=-Werror'], 'make.log')
        yield BUILD / 'msr-safe.ko'

    def _contract(self):
        started = time.monotonic()
        say('contract')
        outcome = self._suite.run(f'-k "{self._tests}"', BUILD / 'contract.log', MSR_SAFE_KO=MODULE)
        summary = f'{outcome.passed} passed, {len(outcome.failed)} failed, {len(outcome.skipped)} skipped'
        seconds = time.monotonic() - started
        return Stage('contract', bool(outcome.failed), summary, outcome.complaints, seconds)

    def _program(self, name, command):
        started = time.monotonic()
        log = BUILD / f'{name.replace(", ", "-")}.log'
        with log.open('wb') as output:
            prepare = (
                f'dmesg --clear; cd {PLACE}; export MSR_SAFE_KO={MODULE}; lsmod | grep -q msr_safe || insmod {MODULE}'
            )
            remote = [*self._ssh, f'{prepare}; {command}']
            code = run_with_progress(name, remote, output, lambda _line: None, interval=60)
        lines = log.read_text(errors='replace').split('\n')
        summary = '; '.join(' '.join(line.split()) for line in lines if line.strip())
        return Stage(name, code != 0, summary, self._complaints(), time.monotonic() - started)

    def _memory_leaks(self):
        started = time.monotonic()
        say('kmemleak')
        leaks = self._check_output(KMEMLEAK)
        (BUILD / 'kmemleak.log').write_text(leaks)
        ours = [part for part in leaks.split('unreferenced object')[1:] if 'msr_safe' in part]
        return Stage('kmemleak', bool(ours), f'{len(ours)} leaks', self._complaints(), time.monotonic() - started)

    def _complaints(self):
        messages = self._check_output('dmesg')
        return [line for line in messages.splitlines() if COMPLAINTS.search(line)]

    def _check_output(self, command):
        done = subprocess.run([*self._ssh, command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise FleetError(f'{NODE}: `{command.strip()}` ended with {done.returncode}: {done.stderr.strip()}')
        return done.stdout


def _compile_programs():
    """The programs for the node, static: it has no 32-bit libraries."""
    compiler = ['gcc', '-O2', '-Wall', '-Wextra', '-Wno-unused-parameter', '-Werror', '-static', f'-I{HEADERS}']
    for program, source, *flags in (('race', 'race.c'), ('fuzz64', 'fuzz.c'), ('fuzz32', 'fuzz.c', '-m32')):
        sources = [HERE / 'node' / source, HERE / 'node/client.c']
        _run_quietly([*compiler, *flags, '-o', BUILD / program, *sources], f'{program}.log')
        yield BUILD / program


def _run_quietly(command, log):
    with (BUILD / log).open('wb') as output:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
    if code:
        raise FleetError(f'{command[0]} ended with {code}. See {BUILD / log}')
