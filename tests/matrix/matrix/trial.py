# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on one kernel: compiled for it, its tests run on it, and what that has shown."""

import time
from dataclasses import dataclass, field

from fleet.errors import FleetError
from fleet.node import FRESH
from fleet.progress import say
from fleet.spec import NodeSpec

from matrix.kernels import Kernel
from matrix.module import ROOT, compile_module
from matrix.suite import PLACE, Outcome, Suite

BUILD = ROOT / 'build/kernels'
NODE = 'kernel'
TOPOLOGY = 'sockets=2,cores=1,threads=2'  # simulated registers may be of a core or a package

MODULE, SIMULATED = 'msr-safe.ko', 'msr-safe-simulated.ko'
GOALS = {MODULE: 'all', SIMULATED: 'simulated'}  # of files/kmod/Makefile


@dataclass
class Trial:
    """only: str, which tests, as pytest's -k has it; problem: str, what kept it from coming to its end, or None."""

    kernel: Kernel
    release: str = ''
    warnings: list[str] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)
    problem: str | None = None
    seconds: float = 0
    only: str = ''

    @property
    def is_good(self):
        """Whether all of it was as it should be."""
        return not (self.problem or self.warnings or self.outcome.failed or self.outcome.complaints)

    def run(self, fleet):
        """Compile the module and, unless the fleet is None, run the tests on a node of it. A problem is kept."""
        started = time.monotonic()
        try:
            self.kernel.make_ready()
            self.release = self.kernel.release
            for module, goal in GOALS.items():
                self.warnings += compile_module(self.kernel, goal, self._directory / module)
            if fleet:
                self._run_tests(fleet)
        except FleetError as error:
            self.problem = str(error)
            say(f'{self.kernel.name}: {error}')
            if fleet:
                _show_consoles(fleet)
        self.seconds = time.monotonic() - started

    @property
    def _directory(self):
        return BUILD / self.kernel.name

    def _run_tests(self, fleet):
        boot = {'kernel': str(self.kernel.boot_directory), 'kernel_arguments': self.kernel.arguments}
        fleet.up([NodeSpec(NODE, 'Skylake-Server', cpus=4, topology=TOPOLOGY, **boot)])
        self._run_suite(
            fleet,
            'contract',
            f'-k "not lockdown and ({self.only})"' if self.only else '-k "not lockdown"',
            MSR_SAFE_KO=f'{PLACE}/{MODULE}',
            MSR_SAFE_SIMULATED_KO=f'{PLACE}/{SIMULATED}',
        )
        if self.only:
            return
        # Under lockdown the kernel loads no module that nobody signed, so ours is there before
        for parameters in ('honor_lockdown=1', 'honor_lockdown=0'):
            fleet.reset(FRESH, [])
            self._run_suite(fleet, f'lockdown-{parameters}', '-k lockdown', parameters, MSR_SAFE_LOCKDOWN=1)

    def _run_suite(self, fleet, what, tests, parameters=None, **environment):
        """Run tests on the node, with the module loaded beforehand if that takes parameters."""
        say(f'{self.kernel.name}: testing {what}')
        suite = Suite(fleet.ssh_config, NODE)
        suite.install(*(self._directory / module for module in GOALS))
        if parameters:
            suite.load_module(MODULE, parameters)
        self.outcome.add(suite.run(tests, self._directory / f'{what}.log', **environment))


def _show_consoles(fleet):
    """Print what the nodes last had to say, while they are there."""
    for node in fleet.nodes() if fleet.inventory.exists() else ():
        print(f'The console of {node.name} ends in:', flush=True)
        print(*node.console.read_text(errors='replace').splitlines()[-30:], sep='\n', flush=True)
