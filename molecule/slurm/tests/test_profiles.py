# SPDX-License-Identifier: GPL-3.0-or-later
"""A job gets the list that it asks for, if it may, and says why if not."""

import pytest
from cluster import wait_until

LIST = '/dev/cpu/msr_approved_list'


def active(node):
    return node.run(f'grep -v ^# {LIST}')


def listed(node, path):
    """Return a list's file as the device shows lists."""
    return ''.join(line.split(' #')[0] + '\n' for line in node.read(path).splitlines() if line.startswith('0x'))


def test_a_profile_is_in_force_during_the_job(cluster, node):
    before = active(node)
    monitor = listed(node, '/etc/msr-safe/profiles/monitor')
    assert monitor != before
    done = cluster.as_user(
        'sbatch --parsable --nodelist=c1 --msr-profile=monitor --output=/home/user/out',
        '#!/bin/sh\nuntil [ -e /tmp/go ]; do sleep 0.2; done\n',
    )
    job = int(done.stdout)
    wait_until(lambda: active(node) == monitor)
    node.run('touch /tmp/go')
    cluster.wait_end(job)
    assert active(node) == before


def test_a_read_only_profile_keeps_a_job_from_writing(cluster, node, baseline):
    job = cluster.submit('', '--msr-profile=monitor')
    cluster.wait_end(job)
    assert cluster.state(job) == 'FAILED'
    assert 'Permission denied' in node.read('/home/user/out')
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_a_directive_in_the_script(cluster, node, baseline):
    script = '#!/bin/sh\n#SBATCH --msr-profile=power --msr-report\necho in the job\n'
    job = int(cluster.as_user('sbatch --parsable --nodelist=c1 --output=/home/user/out', script).stdout)
    cluster.wait_end(job)
    assert node.read('/home/user/out') == 'in the job\nmsr-safe: no register is changed\n'


def test_unknown_is_refused_as_it_is_submitted(cluster):
    done = cluster.as_user('sbatch --msr-profile=nope --wrap=true')
    assert done.returncode != 0
    assert "msr-safe: there is no profile 'nope'; there are: monitor, perf, power" in done.stdout


def test_forbidden_is_refused_as_it_starts(cluster, node):
    done = cluster.srun('echo reached', '--msr-profile=perf')
    assert done.returncode != 0
    assert "msr-safe: the profile 'perf' is not for user user, account (none), partition main." in done.stdout
    assert 'This job may have: monitor, power.' in done.stdout
    assert 'reached' not in done.stdout
    assert 'drain' not in cluster.run('sinfo -h -o %t')


@pytest.mark.slow
def test_a_refusal_on_several_nodes_drains_none(cluster, node):
    done = cluster.srun('echo reached', '--nodes=2', '--msr-profile=perf', node='c1,c2')
    assert done.returncode != 0
    assert "the profile 'perf' is not for user user" in done.stdout
    assert 'reached' not in done.stdout
    wait_until(lambda: cluster.idle('c1') and cluster.idle('c2'))


@pytest.mark.slow
def test_a_batch_job_that_is_refused_says_so_in_its_output(cluster, node):
    job = cluster.submit('', '--msr-profile=perf')
    cluster.wait_end(job)
    assert cluster.state(job) == 'FAILED'
    output = node.read('/home/user/out')
    assert "the profile 'perf' is not for user user" in output
    assert 'turbo' not in output
    assert 'drain' not in cluster.run('sinfo -h -o %t')


@pytest.mark.slow
def test_an_account_that_may(cluster, node):
    done = cluster.srun('echo reached', '--msr-profile=perf', '--account=physics')
    assert done.returncode == 0, done.stdout
    assert done.stdout == 'reached\n'


@pytest.mark.slow
@pytest.mark.parametrize('name', ['../../etc/shadow', 'A', '$(reboot)'])
def test_what_is_no_name(cluster, name):
    done = cluster.as_user(f"sbatch '--msr-profile={name}' --wrap=true")
    assert done.returncode != 0
    assert 'is no name of a profile' in done.stdout


def test_the_report(cluster, node, baseline):
    job = cluster.submit('', '--msr-report')
    cluster.wait_end(job)
    said = node.read('/home/user/out').splitlines()
    assert said[:2] == ['turbo is changed', 'msr-safe: the job changed these registers, now restored:']
    assert said[2].startswith('msr-safe: 0x000001A0 IA32_MISC_ENABLE')
    assert said[2].endswith('on CPU 0-3')
    assert cluster.next_job_reads() == baseline


def test_nothing_is_said_when_all_is_well(cluster, node):
    done = cluster.srun('true')
    assert (done.returncode, done.stdout) == (0, '')
