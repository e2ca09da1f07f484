# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster under test, and a node of it."""

import pytest
from cluster import Cluster, wait_until

NO_JOB = '[ ! -e /usr/sbin/msr-job ] || msr-job status | grep -q "no job"'  # it is not there after its removal


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
