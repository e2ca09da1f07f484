# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Slurm's commands on a fake node, and the jobs that slurmd would run there."""

import os
import stat

from ansible_collections.hpc.msr_safe.plugins.module_utils.commands import msr_job

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
BOUNDED = ['timeout', '--kill-after=1']


class FakeSlurm:
    """What squeue, scontrol and scancel answer, and what they were asked.

    Jobs of the partition main have the node for themselves, those of shared do not.
    """

    def __init__(self, node):
        self.node = node
        self.jobs = {}  # job -> its state as squeue prints it
        self.alone = set()  # jobs that have their nodes for themselves
        self.array = ()  # jobs that are tasks of one array; the last has its number, by which squeue lists them all
        self.comment_of_user = ''  # what a user had Slurm note of each job
        self.ended = {}  # jobs that are completing: what happens once Slurm was asked about them
        self.comments = {'42': ''}  # job of the accounting -> its AdminComment there
        self.written_meanwhile = None  # what other nodes of a job make of a comment, each right after one of ours
        self.shown_as = {}  # job -> as the accounting shows it, where that is not its number: {'44': '42_1'}
        self.answers = {}  # name of a command -> (exit code, output)
        self.asked = []
        self.limits = []  # seconds that each of these commands was given
        node.machine.run = self.run
        self.configure()
        for name, text in PROFILES.items():
            node.put('/etc/msr-safe/profiles/' + name, text)

    def configure(self, **settings):
        settings.setdefault('exclusive', 'main')
        lines = ['%s = %s' % item for item in settings.items()]
        self.node.put('/etc/msr-safe/jobs.conf', SETTINGS.format(job='\n'.join(lines)))

    def run(self, arguments):
        if arguments[0] == 'modprobe':
            return self.node.run(arguments)
        assert arguments[:2] == BOUNDED, 'a command without a time limit: %s' % arguments
        limit, name, arguments = int(arguments[2]), arguments[3], arguments[4:]
        environment = dict(os.environ)
        while name == 'env':
            option, name, arguments = arguments[0], arguments[1], arguments[2:]
            environment.pop(option.partition('=')[2])
            if name.startswith('--unset='):
                name, arguments = 'env', [name, *arguments]
        assert 0 < limit <= (20 if name.startswith('sacct') else 5), '%d s for %s' % (limit, name)
        self.limits.append(limit)
        self.states_wanted = environment.get('SQUEUE_STATES')
        self.asked.append(' '.join([name, *arguments]))
        if name in self.answers:
            return self.answers[name]
        if name == 'squeue':
            (job,) = [each.partition('=')[2] for each in arguments if each.startswith('--jobs=')]
            return self.list_jobs(self.array if job in self.array[-1:] else [job], arguments)
        if name == 'scontrol' and 'show' in arguments:
            said = (arguments[-1], self.comment_of_user, self.share_of(arguments[-1]))
            return 0, 'JobId=%s Comment=%s OverSubscribe=%s\n' % said
        options = dict(each.partition('=')[::2] for each in arguments)
        if name == 'sacct':
            columns = {
                'JobIDRaw': lambda job: job,
                'JobID': self.shown,
                'NNodes': lambda job: '2' if self.written_meanwhile is not None else '1',
                'AdminComment': self.comments.get,
            }
            wanted = [columns[name] for name in options['--format'].split(',')]
            jobs = self.accounted(options['--jobs'])
            return 0, ''.join('|'.join(column(job) for column in wanted) + '\n' for job in jobs)
        if name == 'sacctmgr':
            return self.modify_jobs(self.accounted(options['jobid']), options['admincomment'])
        return 0, ''

    def list_jobs(self, jobs, arguments):
        (form,) = [each.partition('=')[2] for each in arguments if each.startswith('--format=')]
        lines = []
        for job in jobs:
            state = self.jobs.get(job)
            self.ended.pop(job, lambda: None)()
            if state and self.states_wanted in (None, state):
                lines.append(form.replace('%A', job).replace('%t', state).replace('%h', self.share_of(job)) + '\n')
        return (0, ''.join(lines)) if lines else (1, 'slurm_load_jobs error: Invalid job id specified\n')

    def share_of(self, job):
        return 'NO' if job in self.alone else 'OK'

    def shown(self, job):
        return self.shown_as.get(job, job)

    def accounted(self, named):
        """Return the jobs that the accounting takes a name for. An array's is that of its last task, too."""
        return [
            job
            for job in self.comments
            if named in (job, self.shown(job)) or self.shown(job).replace('+', '_').startswith(named + '_')
        ]

    def modify_jobs(self, jobs, text):
        """As sacctmgr of Slurm 22.05 was seen to do it: in lower case, and up to a quotation mark."""
        for job in jobs:
            self.comments[job] = text.partition('"')[0].replace("'", '`').lower()
            if self.written_meanwhile:
                self.comments[job] = self.written_meanwhile.pop(0)
        return (0, ' Modified jobs...\n') if jobs else (1, ' Nothing modified\n')

    def saw(self, words):
        """Return whether a command that contains these words was run."""
        return any(words in command for command in self.asked)

    def job(self, subcommand, number, *arguments, **who):
        """Run a subcommand for a job; return its exit status. It is on the node until told otherwise."""
        self.jobs.setdefault(str(number), 'R')
        environment = {
            'SLURM_JOB_ID': str(number),
            'SLURM_JOB_UID': str(who.get('uid', 1000)),
            'SLURM_JOB_USER': who.get('user', 'alice'),
            'SLURM_JOB_ACCOUNT': who.get('account', ''),
            'SLURM_JOB_PARTITION': who.get('partition', 'main'),
            'SLURMD_NODENAME': 'n1',
        }
        for name in ('restart_count', 'oversubscribe'):
            if name in who:
                environment['SLURM_JOB_' + name.upper()] = str(who[name])
        return msr_job.main([subcommand, *arguments], self.node.machine, environment)

    def command(self, *arguments):
        return msr_job.main(list(arguments), self.node.machine, {'SLURMD_NODENAME': 'n1'})

    def refusal(self, number):
        """Return why a job is refused, as the plugin would tell it; None if it is not."""
        path = '/run/msr-safe/jobs/%d/refused' % number
        return self.node.get(path) if self.node.has(path) else None

    def step(self, number, name='n1'):
        """Have a step of a job listen."""
        self.listen('/var/spool/slurmd/%s_%s.0' % (name, number))
        os.mknod(self.node.path('/var/spool/slurmd/%s_%s.0' % (name, number)), stat.S_IFSOCK | 0o777)

    def listen(self, path):
        """Have the kernel say that somebody listens on a socket of this name, whatever there is of it."""
        os.makedirs(self.node.path('/var/spool/slurmd'), exist_ok=True)
        self.node.put('/proc/net/unix', '0: 00000002 00000000 00010000 0001 01 77 %s\n' % path)
