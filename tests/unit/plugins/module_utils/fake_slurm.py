# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Slurm's commands and msrsave on a fake node: the latter is the real one."""

import contextlib
import io

from ansible_collections.hpc.msr_safe.plugins.module_utils.commands import msrsave

PROFILES = {
    'monitor': '0x000000CE 0x0 # MSR_PLATFORM_INFO\n',
    'power': '0x000001A0 0x0000004000000000 # IA32_MISC_ENABLE\n0x00000610 0x0000000000FF8000 # MSR_PKG_POWER_LIMIT\n',
}
SETTINGS = """
[job]
{job}
[profile monitor]
[profile power]
users = alice
accounts = physics
"""


class FakeSlurm:
    """What squeue, scontrol and scancel answer, and what they were asked."""

    def __init__(self, node):
        self.node = node
        self.jobs = set()
        self.ending = {}  # jobs that are completing: what happens when Slurm was asked about them
        self.asked = []
        node.machine.run = self.run
        self.configure()
        for name, text in PROFILES.items():
            node.put('/etc/msr-safe/profiles/' + name, text)

    def configure(self, **settings):
        lines = ['%s = %s' % item for item in settings.items()]
        self.node.put('/etc/msr-safe/jobs.conf', SETTINGS.format(job='\n'.join(lines)))

    def run(self, arguments):
        self.asked.append(' '.join(arguments))
        if arguments[0] == '/usr/sbin/msrsave':
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = msrsave.main(arguments[1:], self.node.machine)
            return code, said.getvalue()
        if arguments[0] == 'squeue':
            said = ''.join('%d %s\n' % (job, 'CG' if job in self.ending else 'R') for job in self.jobs)
            while self.ending:
                self.ending.popitem()[1]()
            return 0, said
        return 0, ''

    def saw(self, words):
        """Return whether a command that contains these words was run."""
        return any(words in command for command in self.asked)
