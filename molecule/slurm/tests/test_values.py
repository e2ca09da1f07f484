# SPDX-License-Identifier: GPL-3.0-or-later
"""--msr-set: root sets registers for a job within the site's bounds; the user has no access of their own."""

import pytest
from cluster import TURBO_OFF, wait_until
from test_simulated_registers import POWER_LIMIT, simulated  # noqa: F401  pylint: disable=unused-import  # a fixture

HOLD = '#!/bin/sh\nuntil [ -e /tmp/go ]; do sleep 0.2; done\n'
WATTS = 8  # the simulated processor counts its power in eighths


def hold(cluster, *options):
    """Submit a job that waits; return its number."""
    command = 'sbatch --parsable --nodelist=c1 --output=/home/user/out ' + ' '.join(options)
    done = cluster.as_user(command, HOLD)
    assert done.returncode == 0, done.stdout
    return int(done.stdout.split()[-1])


def test_turbo_is_switched_during_the_job(cluster, node, baseline):
    """To what it is not, between jobs; and the job itself can write nothing."""
    is_off = all(int(value, 16) & TURBO_OFF for value in baseline)
    job = hold(cluster, '--msr-profile=monitor', f'--msr-set=turbo={"on" if is_off else "off"}')
    switched = {hex(int(value, 16) ^ TURBO_OFF) for value in baseline}
    wait_until(lambda: node.turbo() == switched)
    masks = 'grep -v ^# /dev/cpu/msr_approved_list | cut -d" " -f2 | sort -u'
    wait_until(lambda: node.run(masks).split() == ['0x0000000000000000'])
    node.run('touch /tmp/go')
    cluster.wait_end(job)
    assert cluster.next_job_reads() == baseline


def test_out_of_bounds_is_refused_with_words(cluster, node, baseline):
    done = cluster.srun('echo reached', '--msr-profile=monitor', '--msr-set=power_limit=900W')
    assert done.returncode != 0
    assert 'power_limit=900W is not within the bounds of this site. They are 50 to 400 watts' in done.stdout
    assert 'drain' not in cluster.run('sinfo -h -o %t')


@pytest.mark.slow
@pytest.mark.parametrize('how', ['touch', 'scancel', 'kill'])
def test_a_power_limit_is_gone_after_each_end(cluster, node, simulated, how):  # noqa: F811
    before = node.register(POWER_LIMIT)
    job = hold(cluster, '--msr-profile=monitor', '--msr-set=power_limit=100W')
    wait_until(lambda: {int(value, 16) & 0x7FFF for value in node.register(POWER_LIMIT)} == {100 * WATTS})
    if how == 'touch':
        node.run('touch /tmp/go')
    elif how == 'scancel':
        cluster.run(f'scancel {job}')
    else:
        step = f'pgrep -f "^slurmstepd: .{job}.batch"'
        wait_until(lambda: node.try_run(step).returncode == 0)  # The limit is set before it starts
        node.run(f'kill -9 $({step})')
        cluster.run(f'scancel {job}')
    cluster.wait_end(job)
    wait_until(lambda: 'no job' in node.run('msr-job status'))
    assert node.register(POWER_LIMIT) == before
