# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster under test, and a node of it."""

import functools
import json
import os
import pathlib
import subprocess

import pytest
from cluster import NO_JOB, STATE, Cluster, wait_until

SCENARIO = pathlib.Path(__file__).parents[1]
CONFIGURATION = '/etc/slurm/slurm.conf'


@pytest.fixture(scope='session')
def cluster():
    return Cluster()


@pytest.fixture
def node(cluster):
    """A compute node; at the end it is in service, no job is on it, and /tmp/go, for which jobs wait, is gone."""
    host = cluster.nodes['c1']
    yield host
    cluster.run('scancel --user=user')
    host.run('systemctl start slurmd; rm -f /tmp/go')
    wait_until(lambda: host.try_run(NO_JOB).returncode == 0)
    if not cluster.idle():
        cluster.try_run('scontrol update nodename=c1 state=resume')
    wait_until(cluster.idle)


@pytest.fixture
def baseline(node):
    """What the registers hold before the job."""
    return node.turbo()


@pytest.fixture
def changing_job(cluster, node, baseline):
    """Submit a job; return its number once it has changed the registers."""

    def submit(what, *options):
        job = cluster.submit(what, *options)
        wait_until(lambda: node.turbo() != baseline)
        return job

    return submit


@pytest.fixture
def playbook(cluster):
    """Run a playbook of ours on a node; return its exit status, and what Ansible said."""

    def run(name, node='c1', **variables):
        done = subprocess.run(
            [
                *('ansible-playbook', f'hpc.msr_safe.{name}', '-i', STATE / 'inventory.yml', '-l', node),
                *('-e', f'@{SCENARIO}/settings.yml', '-e', json.dumps(variables)),
            ],
            env=dict(os.environ, ANSIBLE_NOCOLOR='1', ANSIBLE_FORCE_COLOR='0'),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    return run


@pytest.fixture
def role(playbook):
    return functools.partial(playbook, 'slurm')


@pytest.fixture
def slurm_conf(cluster):
    """Change slurm.conf everywhere for a test."""
    before = cluster.read(CONFIGURATION)

    def write(text):
        for host in (cluster, *cluster.nodes.values()):
            host.write(CONFIGURATION, text)
        cluster.run('scontrol reconfigure')

    yield lambda change: write(change(before))
    write(before)
