# SPDX-License-Identifier: GPL-3.0-or-later
"""A Slurm cluster, and what its user and its administrator do with it."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

STATE = pathlib.Path(os.environ['FLEET_STATE'])
FLEET = pathlib.Path(__file__).parents[3] / 'tests/fleet/fleet'

MISC_ENABLE = 0x1A0
TURBO_OFF = 1 << 38
NO_JOB = '[ ! -e /usr/sbin/msr-job ] || msr-job status | grep -q "no job"'  # it is not there after its removal
PATIENCE = 120  # seconds: emulated nodes are slow

# What a job does: turn turbo off on all CPUs of its node, as a member of the group, and say so.
JOB = f"""\
#!/usr/bin/python3
import glob, os, signal, struct, subprocess, sys, time
for path in glob.glob('/dev/cpu/[0-9]*/msr_safe'):
    device = os.open(path, os.O_RDWR)
    old, = struct.unpack('<Q', os.pread(device, 8, {MISC_ENABLE}))
    os.pwrite(device, struct.pack('<Q', old ^ {TURBO_OFF}), {MISC_ENABLE})
print('turbo is changed', flush=True)
"""

# What a register holds on each CPU
READ = """\
import glob, os, struct
for path in sorted(glob.glob('/dev/cpu/[0-9]*/msr_safe')):
    print(hex(struct.unpack('<Q', os.pread(os.open(path, os.O_RDONLY), 8, {}))[0]))
"""


class Host:
    """A node of the fleet, as its root."""

    def __init__(self, name):
        self.name = name

    def try_run(self, command, stdin=''):
        return subprocess.run(
            ['ssh', '-F', STATE / 'ssh_config', '-o', 'ControlMaster=auto', self.name, command],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def run(self, command, stdin=''):
        done = self.try_run(command, stdin)
        assert done.returncode == 0, f'{self.name}: {command}: {done.stdout}'
        return done.stdout

    def write(self, path, text, mode='644'):
        self.run(f'cat > {path} && chmod {mode} {path}', text)

    def read(self, path):
        return self.run(f'cat {path}')

    def register(self, address):
        """Return the values that a register has on the CPUs, each once."""
        return set(self.run('/usr/bin/python3 -', READ.format(address)).split())

    def turbo(self):
        return self.register(MISC_ENABLE)


class Cluster(Host):
    """The cluster as its user sees it, from the controller."""

    def __init__(self):
        super().__init__('controller')
        self.nodes = {name: Host(name) for name in ('c1', 'c2')}

    def as_user(self, command, stdin=''):
        return self.try_run(f'cd /home/user && sudo -u user {command}', stdin)

    def submit(self, what='', *options, node='c1', output='/home/user/out'):
        """Submit JOB and what it does then; return its number."""
        command = ['sbatch', '--parsable', f'--nodelist={node}', f'--output={output}', *options]
        done = self.as_user(shlex.join(command), JOB + what)
        assert done.returncode == 0, done.stdout
        return int(done.stdout.split()[-1])

    def srun(self, command, *options, node='c1'):
        done = self.as_user(f'srun --nodelist={node} {shlex.join(options)} {command}')
        return done

    def next_job_reads(self, node='c1'):
        """Return what the next job on a node reads: the values of IA32_MISC_ENABLE."""
        done = self.as_user(f'timeout 300 srun --quiet --nodelist={node} python3 -', READ.format(MISC_ENABLE))
        assert done.returncode == 0, done.stdout
        return set(done.stdout.split())

    def state(self, job):
        text = self.run(f'scontrol show job {job}')
        return re.search(r'JobState=(\S+)', text)[1]

    def wait_end(self, job):
        wait_until(lambda: self.state(job) not in ('PENDING', 'RUNNING', 'COMPLETING', 'CONFIGURING'))

    def idle(self, node='c1'):
        return self.run(f'sinfo --noheader --nodes={node} --format=%t --partition=main').strip() == 'idle'


def wait_until(condition, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, 'it did not come true'
        time.sleep(0.3)


def fleet(*arguments):
    subprocess.run([sys.executable, FLEET, *arguments, '--state', STATE], check=True)
