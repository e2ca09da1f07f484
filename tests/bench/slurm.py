# SPDX-License-Identifier: GPL-3.0-or-later
"""What the prolog and the epilog add to a job, against a job with an empty prolog and epilog, on virtual nodes."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from nodes import ROOT, run

SCENARIO = ROOT / 'molecule/slurm'
sys.path.insert(0, str(SCENARIO / 'tests'))
from cluster import STATE, Host  # noqa: E402

ON_NODE = Path(__file__).parent / 'on_node'
PAGE = ROOT / 'docs/results/slurm.md'
NODES = {'c1': 4, 'c2': 16}
HOSTS = {name: Host(name) for name in ('controller', *NODES)}
ROUNDS, JOBS = 3, 5

PLUGSTACK = '/etc/slurm/plugstack.conf'
SLURM_CONF = '/etc/slurm/slurm.conf'
TIMES = '/root/times'

EMPTY = '#!/bin/sh\n'
BARE = '#!/usr/bin/python3 -IS\n'
# Each has its prolog and epilog in its own way; the last says how long they took, which takes time, too.
WAYS = ('empty', 'bare', 'standby', 'started', 'timed')
HEADING = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by `make bench-slurm` -->
# What a job pays

A job that does nothing (`srun true`), until its node is idle again: *empty*, with a prolog and an epilog that are empty
scripts; *bare*, with the SPANK plugin, and a Python that is started and does nothing in the place of `msr-job`; *with
msr-safe*, where both compare all registers that jobs can change with the baseline, in one batch each, and put the list
of the profile `power`, or the node's own, in force, done by the `msr-job` that stands by; *started*, the same with
`slurm_msr_standby: false`, where a Python is started for each. On virtual nodes (QEMU without KVM, two cores of the
host for all of them), {date}: compare times with each other, they are not those of a real node. Medians of {jobs} jobs
each, in turns; the times of prolog and epilog are of further jobs, for which a Python was started, and a clock. Aimed
at is 1.5 times an empty job.

"""

NATIVE = """
Where it goes, on this machine itself and a node that is a directory (`python tests/bench/msr_job.py`):

    {}
"""


def play(playbook):
    extra = f'@{SCENARIO / "settings.yml"}'
    profile = 'slurm_msr_default_profile=power'
    inventory = STATE / 'inventory.yml'
    run('ansible-playbook', playbook, '-i', inventory, '-e', extra, '-e', profile, stdout=subprocess.DEVNULL)


def write(path, text, mode='644'):
    for host in HOSTS.values():
        host.write(path, text, mode)


def use_empty_scripts(slurm_conf):
    write(PLUGSTACK, '')
    write(SLURM_CONF, slurm_conf + 'Prolog=/usr/local/sbin/empty\nEpilog=/usr/local/sbin/empty\n')
    HOSTS['controller'].run('scontrol reconfigure')


def use_plugin(slurm_conf, command=''):
    write(PLUGSTACK, f'required msr_safe.so {command and "command=/usr/local/sbin/" + command}\n')
    write(SLURM_CONF, slurm_conf)
    HOSTS['controller'].run('scontrol reconfigure')


def use(way, slurm_conf):
    if way == 'empty':
        use_empty_scripts(slurm_conf)
    else:
        use_plugin(slurm_conf, {'bare': 'bare', 'timed': 'timed-msr-job'}.get(way, ''))
        for node in NODES:
            HOSTS[node].run(f'systemctl {"stop" if way == "started" else "start"} msr-safe-standby')


def run_jobs(node):
    return json.loads(HOSTS['controller'].run(f'cd /home/user && sudo -u user python3 jobs.py {node} {JOBS}'))


def measure():
    """Return for each node the seconds of jobs in each of the WAYS, and those of `prolog` and `epilog`."""
    slurm_conf = HOSTS['controller'].read(SLURM_CONF)
    write('/usr/local/sbin/empty', EMPTY, '755')
    write('/usr/local/sbin/bare', BARE, '755')
    write('/usr/local/sbin/timed-msr-job', (ON_NODE / 'timed-msr-job').read_text(), '755')
    HOSTS['controller'].write('/home/user/jobs.py', (ON_NODE / 'jobs.py').read_text())
    seconds = {node: {way: [] for way in WAYS} for node in NODES}
    for number in range(ROUNDS):
        for way in WAYS:
            use(way, slurm_conf)
            for node in NODES:
                print(f'round {number + 1} of {ROUNDS}: {node}, {way}', flush=True)
                seconds[node][way] += run_jobs(node)
    for node in NODES:
        lines = HOSTS[node].read(TIMES).split('\n')[:-1]
        for part in ('prolog', 'epilog'):
            seconds[node][part] = [int(line.split()[1]) / 1e9 for line in lines if line.startswith(part)]
            assert len(seconds[node][part]) == ROUNDS * JOBS, lines
    return seconds


def render(seconds):
    """Return the table."""
    lines = [
        '| CPUs | empty | bare | with msr-safe | started | bare, times | times | started, times | prolog | epilog |',
        '|---|---|---|---|---|---|---|---|---|---|',
    ]
    for node, cpus in NODES.items():
        time_of = {what: statistics.median(values) for what, values in seconds[node].items()}
        jobs = [f'{time_of[way]:.2f} s' for way in ('empty', 'bare', 'standby', 'started')]
        ratios = [f'{time_of[way] / time_of["empty"]:.1f}' for way in ('bare', 'standby', 'started')]
        parts = [f'{time_of[part]:.2f} s' for part in ('prolog', 'epilog')]
        lines.append(f'| {" | ".join([str(cpus), *jobs, *ratios, *parts])} |')
    return '\n'.join(lines) + '\n'


def native():
    """Return where the time of a prolog and an epilog goes on this machine itself, a line each."""
    command = [sys.executable, Path(__file__).parent / 'msr_job.py']
    return (
        subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.rstrip().replace('\n', '\n    ')
    )


def main():
    os.environ['ANSIBLE_HOST_KEY_CHECKING'] = 'False'
    for playbook in (SCENARIO / 'prepare.yml', SCENARIO / 'converge.yml'):
        print(f'applying {playbook.name}', flush=True)
        play(playbook)
    table = render(measure())
    print(table)
    PAGE.write_text(
        HEADING.format(date=time.strftime('%Y-%m-%d'), jobs=ROUNDS * JOBS) + table + NATIVE.format(native())
    )


if __name__ == '__main__':
    sys.exit(main())
