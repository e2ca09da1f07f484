# SPDX-License-Identifier: GPL-3.0-or-later
"""What the prolog and the epilog add to a job, against a job with an empty prolog and epilog, on virtual nodes."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
ON_NODE = Path(__file__).parent / 'on_node'
STATE = Path(os.environ['FLEET_STATE'])
SCENARIO = ROOT / 'molecule/slurm'
PAGE = ROOT / 'docs/results/slurm.md'
NODES = {'four': 4, 'sixteen': 16}
ROUNDS, JOBS = 3, 5

PLUGSTACK = '/etc/slurm/plugstack.conf'
SLURM_CONF = '/etc/slurm/slurm.conf'
TIMES = '/root/times'

EMPTY = '#!/bin/sh\n'
HEADING = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by `make bench-slurm` -->
# What a job pays

A job that does nothing (`srun true`), until its node is idle again: with a prolog and an epilog that are empty scripts,
and with the SPANK plugin, which saves and restores all registers that the node's list lets a job write. On virtual
nodes (QEMU without KVM, two cores of the host for all of them), {date}: compare times with each other, they are not
those of a real node. Medians of {jobs} jobs each, in turns.

"""


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, text=True, **options)


def ssh(node, command, stdin=''):
    return run('ssh', '-F', STATE / 'ssh_config', node, command, input=stdin, stdout=subprocess.PIPE).stdout


def play(playbook):
    extra = f'@{SCENARIO / "settings.yml"}'
    run('ansible-playbook', playbook, '-i', STATE / 'inventory.yml', '-e', extra, stdout=subprocess.DEVNULL)


def write(path, text, mode='644'):
    for node in ('controller', *NODES):
        ssh(node, f'cat > {path} && chmod {mode} {path}', text)


def use_empty_scripts(slurm_conf):
    write(PLUGSTACK, '')
    write(SLURM_CONF, slurm_conf + 'Prolog=/usr/local/sbin/empty\nEpilog=/usr/local/sbin/empty\n')
    ssh('controller', 'scontrol reconfigure')


def use_plugin(slurm_conf):
    write(PLUGSTACK, 'required msr_safe.so command=/usr/local/sbin/timed-msr-job\n')
    write(SLURM_CONF, slurm_conf)
    ssh('controller', 'scontrol reconfigure')


def measure():
    """Return for each node the seconds of jobs with `empty` scripts and with the `plugin`, of `prolog` and `epilog`."""
    slurm_conf = ssh('controller', f'cat {SLURM_CONF}')
    write('/usr/local/sbin/empty', EMPTY, '755')
    write('/usr/local/sbin/timed-msr-job', (ON_NODE / 'timed-msr-job').read_text(), '755')
    ssh('controller', 'cat > /root/jobs.py', (ON_NODE / 'jobs.py').read_text())
    seconds = {node: {'empty': [], 'plugin': []} for node in NODES}
    for number in range(ROUNDS):
        for way, use in (('empty', use_empty_scripts), ('plugin', use_plugin)):
            use(slurm_conf)
            for node in NODES:
                print(f'round {number + 1} of {ROUNDS}: {node}, {way}', flush=True)
                seconds[node][way] += json.loads(ssh('controller', f'python3 /root/jobs.py {node} {JOBS}'))
    for node in NODES:
        lines = ssh(node, f'cat {TIMES}').split('\n')[:-1]
        for part in ('prolog', 'epilog'):
            seconds[node][part] = [int(line.split()[1]) / 1e9 for line in lines if line.startswith(part)]
            assert len(seconds[node][part]) == ROUNDS * JOBS, lines
    return seconds


def render(seconds):
    """Return the table."""
    lines = ['| CPUs | empty | with msr-safe | ratio | prolog | epilog |', '|---|---|---|---|---|---|']
    for node, cpus in NODES.items():
        time_of = {what: statistics.median(values) for what, values in seconds[node].items()}
        parts = ' | '.join(f'{time_of[part]:.2f} s' for part in ('prolog', 'epilog'))
        ratio = time_of['plugin'] / time_of['empty']
        lines.append(f'| {cpus} | {time_of["empty"]:.2f} s | {time_of["plugin"]:.2f} s | {ratio:.1f} | {parts} |')
    return '\n'.join(lines) + '\n'


def main():
    os.environ['ANSIBLE_HOST_KEY_CHECKING'] = 'False'
    for playbook in (SCENARIO / 'prepare.yml', SCENARIO / 'converge.yml'):
        print(f'applying {playbook.name}', flush=True)
        play(playbook)
    table = render(measure())
    print(table)
    PAGE.write_text(HEADING.format(date=time.strftime('%Y-%m-%d'), jobs=ROUNDS * JOBS) + table)


if __name__ == '__main__':
    sys.exit(main())
