# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface tests, run on a node of the fleet."""

import re
import subprocess
import xml.etree.ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from fleet.errors import FleetError
from fleet.progress import run_with_progress

from matrix.module import SOURCE

TESTS = Path(__file__).resolve().parents[2] / 'kernel'
PLACE = '/root/kernel-tests'
REPORT = f'{PLACE}/report.xml'

# What the kernel says when it finds itself at fault
COMPLAINTS = re.compile(
    r'WARNING|BUG|Oops|Call Trace|general protection|unable to handle|scheduling while atomic|refcount_t'
    r'|INFO: (?:possible|suspicious|task|trying)|\bstalls?\b|UBSAN:|KASAN:|kmemleak: \d+ new'
)

# How it reports that a memory cgroup was full and a process killed for it, as a test wants
KILLED_FOR_MEMORY = re.compile(
    r'^.* invoked oom-killer: .*\n(?:.*\n)*?.*Memory cgroup out of memory: Killed process.*\n', re.MULTILINE
)


def complaints(messages):
    """Return the lines of a kernel log in which the kernel complains."""
    return [line for line in KILLED_FOR_MEMORY.sub('', messages).splitlines() if COMPLAINTS.search(line)]


@dataclass
class Outcome:
    """What runs have shown. failed: tests; skipped: {test: reason}; complaints: lines of the kernel log."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def add(self, other):
        """Count what another run has shown, too."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped |= other.skipped
        self.complaints += other.complaints


class Suite:
    """The tests on one node."""

    def __init__(self, ssh_config, node):
        self._ssh = ['ssh', '-F', str(ssh_config), node]

    def install(self, *modules):
        """Copy the tests, with all they look for, and these files to PLACE on the node. Raises FleetError."""
        archive = ['tar', '--create']
        for path in [*TESTS.glob('*.py'), SOURCE / 'simulation', *modules]:
            archive += ['--directory', path.parent, path.name]
        with subprocess.Popen(archive, stdout=subprocess.PIPE) as tar:
            self._run(f'rm -rf {PLACE}; mkdir {PLACE}; tar --extract --directory={PLACE}', stdin=tar.stdout)

    def load_module(self, file, parameters):
        """Load a module that was installed. Raises FleetError."""
        self._run(f'insmod {PLACE}/{file} {parameters}')

    def run(self, arguments, log, **environment):
        """Run pytest with these arguments and variables; the file `log` receives its output. Raises FleetError."""
        variables = ' '.join(f'{name}={value}' for name, value in environment.items())
        pytest = f'python3 -m pytest -p no:cacheprovider -v -rs --durations=10 --junit-xml={REPORT} {arguments}'
        command = f'cd {PLACE}; {variables} {pytest}; dmesg --read-clear > dmesg'
        with log.open('wb') as output:
            # What ssh says of a connection that was lost, it says above the level that the fleet asks for
            ssh = [*self._ssh[:-1], '-o', 'LogLevel=INFO', self._ssh[-1]]
            status = run_with_progress(self._ssh[-1], [*ssh, command], output, _files(), interval=30)
        try:
            outcome = _read_report(self._run(f'cat {REPORT}', stdout=subprocess.PIPE).stdout)
        except (FleetError, xml.etree.ElementTree.ParseError) as error:
            print(*log.read_text(errors='replace').splitlines()[-20:], sep='\n', flush=True)
            raise FleetError(
                f'the tests did not come to their end: ssh ended with {status}; its last words are above, all in {log}.'
            ) from error
        print(*_durations(log.read_text(errors='replace')), sep='\n', flush=True)
        messages = self._run(f'cat {PLACE}/dmesg', stdout=subprocess.PIPE).stdout.decode(errors='replace')
        log.with_suffix('.dmesg').write_text(messages)
        outcome.complaints = complaints(messages)
        return outcome

    def _run(self, command, **streams):
        done = subprocess.run([*self._ssh, command], check=False, **{'stdin': subprocess.DEVNULL, **streams})
        if done.returncode:
            raise FleetError(f'{self._ssh[-1]}: `{command}` ended with {done.returncode}')
        return done


def _files():
    """A function from the lines that pytest prints to the file of tests that begins with the line, or None."""
    seen = set()

    def begun(line):
        found = re.match(r'test_\w+\.py(?=::)', line)
        if not found or found[0] in seen:
            return None
        seen.add(found[0])
        return found[0]

    return begun


def _durations(log):
    """The lines in which pytest says which tests took longest."""
    return [line for line in log.splitlines() if re.match(r'\d+\.\d\ds (?:call|setup|teardown) ', line)]


def _read_report(text):
    """The Outcome in pytest's JUnit XML."""
    outcome = Outcome()
    for case in xml.etree.ElementTree.fromstring(text).iter('testcase'):
        name = f'{case.get("classname")}.py::{case.get("name")}'
        skipped = case.find('skipped')
        if skipped is not None:
            outcome.skipped[name] = skipped.get('message')
        elif case.find('failure') is not None or case.find('error') is not None:
            outcome.failed.append(name)
        else:
            outcome.passed += 1
    return outcome
