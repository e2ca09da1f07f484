# SPDX-License-Identifier: GPL-3.0-or-later
"""A user who wants root to do something else, or the next job to feel something."""

import shlex

import pytest
from cluster import wait_until


def test_environment(cluster, node, baseline):
    """Whatever is in the user's environment, nothing of it is run or read by root."""
    node.run('install -d -o user /home/user/evil; rm -f /tmp/owned')
    node.write('/home/user/evil/json.py', "open('/tmp/owned', 'w')\n")
    node.write('/home/user/evil/msrsave', '#!/bin/sh\ntouch /tmp/owned\n', '755')
    node.run(
        'cp /home/user/evil/msrsave /home/user/evil/squeue; cp /home/user/evil/json.py /home/user/evil/argparse.py'
    )
    environment = {
        'PATH': '/home/user/evil:/usr/bin:/bin',
        'PYTHONPATH': '/home/user/evil',
        'PYTHONSTARTUP': '/home/user/evil/json.py',
        'LD_PRELOAD': '/home/user/evil/none.so',
        'SPANK_PATH': '/home/user/evil',
        'SPANK_PYTHONPATH': '/home/user/evil',
        'SLURM_SPANK_PYTHONPATH': '/home/user/evil',
        'SLURMD_NODENAME': 'c2',
    }
    assignments = ' '.join(f'{name}={value}' for name, value in environment.items())
    done = cluster.as_user(
        f'env {assignments} sbatch --wait --parsable --export=ALL --nodelist=c1 --msr-report --output=/home/user/out'
        ' --wrap="cd /home/user/evil; true"'
    )
    assert done.returncode == 0, done.stdout
    assert cluster.next_job_reads() == baseline
    # What the job itself ran may have seen it: what root ran may not
    assert node.try_run('ls /tmp/owned').returncode != 0


def test_a_job_name_with_newlines(cluster, node, baseline):
    name = 'x\nnodename=c2 state=down\n$(touch /tmp/owned)'
    done = cluster.as_user(f'sbatch --parsable --wait --nodelist=c1 --job-name={shlex.quote(name)} --wrap=true')
    assert done.returncode == 0, done.stdout
    assert node.try_run('ls /tmp/owned').returncode != 0
    assert cluster.next_job_reads() == baseline


@pytest.mark.slow
def test_a_comment_and_an_account_with_shell_in_them(cluster, node, baseline):
    evil = '$(touch /tmp/owned)`touch /tmp/owned`;touch /tmp/owned'
    done = cluster.as_user(
        f'sbatch --wait --nodelist=c1 --comment={shlex.quote(evil)} --account={shlex.quote(evil)} --wrap=true'
    )
    assert done.returncode == 0, done.stdout
    assert node.try_run('ls /tmp/owned').returncode != 0


def test_state_is_out_of_reach(cluster, node, baseline):
    """Nothing can be planted where root writes, nothing read from there."""
    done = cluster.srun("sh -c 'ls /run/msr-safe/jobs; mkdir /run/msr-safe/jobs/99; ln -s /etc/shadow /run/msr-safe/x'")
    assert done.stdout.count('Permission denied') == 3, done.stdout


def test_planted_files_in_tmp(cluster, node, baseline):
    """Root writes nothing in /tmp, under whatever name."""
    node.run('sudo -u user sh -c "for n in msrsave msr-safe msr-job registers; do ln -sf /etc/planted /tmp/$n; done"')
    job = cluster.submit('')
    cluster.wait_end(job)
    assert node.try_run('ls /etc/planted').returncode != 0
    assert cluster.next_job_reads() == baseline


def test_a_process_that_outlives_its_job_is_killed(cluster, node, baseline):
    """It has a device open, and would go on under the next job."""
    cluster.wait_end(
        cluster.submit(
            'if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n'
            '        for name in list(os.environ): del os.environ[name]\n'
            '        os.closerange(0, 3)\n        time.sleep(600)\n    os._exit(0)\n'
        )
    )
    wait_until(lambda: 'no job' in node.run('msr-job status'))
    assert node.run("ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c '/dev/cpu/[0-9]*/msr_safe' || true").strip() == '0'
    assert cluster.next_job_reads() == baseline


def test_a_descriptor_that_hides_can_do_what_the_list_of_the_node_lets_it(cluster, node, baseline):
    """A descriptor that another user holds is not the job's to find. The list is what stops it."""
    node.write(
        '/root/hidden',
        (
            'import os, struct, time\n'
            'device = os.open("/dev/cpu/0/msr_safe", os.O_RDWR)\n'
            'os.setgroups([]); os.setgid(65534); os.setuid(65534)\n'
            'while True:\n'
            '    time.sleep(0.2)\n'
            '    if not os.path.exists("/tmp/go"): continue\n'
            '    try: os.pwrite(device, struct.pack("<Q", 1 << 38), 0x1A0); said = "written"\n'
            '    except OSError as error: said = error.strerror\n'
            '    open("/tmp/said", "w").write(said); break\n'
        ),
    )
    node.run('rm -f /tmp/said; nohup python3 /root/hidden > /dev/null 2>&1 & sleep 1')
    job = cluster.submit('time.sleep(600)\n', '--msr-profile=power')
    wait_until(lambda: node.turbo() != baseline)
    cluster.run(f'scancel {job}')
    cluster.wait_end(job)
    node.run('echo > /dev/cpu/msr_approved_list; touch /tmp/go')
    wait_until(lambda: node.try_run('test -s /tmp/said').returncode == 0)
    said = node.read('/tmp/said')
    node.run('rm /tmp/said; msr-safe load')
    assert said == 'Permission denied'
    assert node.turbo() == baseline
