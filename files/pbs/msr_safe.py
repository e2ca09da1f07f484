# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A hook of OpenPBS: every job leaves the registers of its nodes as it found them. docs/slurm.md, "OpenPBS".

On the server's host, as its manager:

    qmgr -c "create hook msr_safe event='execjob_begin,execjob_end', alarm=130, fail_action=offline_vnodes"
    qmgr -c "import hook msr_safe application/x-python default msr_safe.py"
    qmgr -c "create resource msr_profile type=string"
    qmgr -c "create resource msr_set type=string"

Jobs that write registers, or have some set, ask for place=exclhost. Where vnodes have sharing=ignore_excl that means
nothing: let no profile write there. It runs on the nodes as root, by the Python of PBS, which may be as old as 3.6.
"""

import os
import subprocess

import pbs

COMMAND = '/usr/sbin/msr-job'
MOM_JOBS = os.path.join(os.environ.get('PBS_HOME', '/var/spool/pbs'), 'mom_priv', 'jobs')
REFUSED = 3


def jobs_here():
    """Return the jobs that PBS has on this node, by their files: 42.server.JB."""
    try:
        names = os.listdir(MOM_JOBS)
    except OSError:
        return None
    return [name[:-3] for name in names if name.endswith('.JB')]


def is_alone(job):
    """Return whether a job has its hosts for itself: place=excl says it of vnodes, of which a host may have several."""
    return 'exclhost' in str(job.Resource_List['place'] or '').split(':')


def arguments_of(event):
    """Return the command line of msr-job for a job that comes or goes."""
    job = event.job
    here = jobs_here()
    told = ['--syslog', '--job=%s' % job.id]
    if here is not None:
        told.append('--here=' + ','.join(here))
    if event.type == pbs.EXECJOB_END:
        return ['end', *told]
    told.append('--run=%s' % (job.run_version or ''))
    told += ['--uid=%d' % user_id(job.euser), '--user=%s' % job.euser]
    told += ['--account=%s' % (job.Account_Name or ''), '--partition=%s' % (job.queue or '')]
    if job.Resource_List['msr_profile']:
        told.append('--profile=%s' % job.Resource_List['msr_profile'])
    if job.Resource_List['msr_set']:
        told.append('--set=%s' % job.Resource_List['msr_set'])
    return ['start', *told, *(['--alone'] if is_alone(job) else [])]


def user_id(name):
    import pwd

    return pwd.getpwnam(str(name)).pw_uid


def main():
    event = pbs.event()
    process = subprocess.Popen(
        [COMMAND, *arguments_of(event)],
        env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8'},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = process.communicate()[0].decode('utf-8', 'replace').strip()
    if process.returncode == 0:
        event.accept()
    if process.returncode == REFUSED:
        # The job goes, not the node: else any user could take node after node out of service
        event.job.delete()
        event.reject('msr-safe: ' + said)
    vnode = event.vnode_list[pbs.get_local_nodename()]
    vnode.state = pbs.ND_OFFLINE
    vnode.comment = 'msr-safe: job %s: %s' % (event.job.id, said or 'msr-job failed, see syslog')
    if event.type == pbs.EXECJOB_END:
        event.accept()
    event.job.rerun()
    event.reject(vnode.comment)


main()
