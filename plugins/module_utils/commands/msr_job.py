# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""msr-job: what the begin and the end of jobs, and the boot of a node, do to the registers."""

import os
import sys
import time

from ..errors import MsrSafeError
from ..jobs.counters import count
from ..jobs.cycle import Ending, Refused, begin, end, renew_baseline, report, reset
from ..jobs.job import Job
from ..jobs.partitions import with_partitions
from ..jobs.record import is_name, jobs_locked, read_record, read_records, write_refusal
from ..jobs.settings import CHOICES, PATH, read_settings, read_settings_or_usual, usual_settings
from ..jobs.slurm import Slurm, job_of, node_name
from ..jobs.told import Told
from ..machine import Machine
from ..version import VERSION
from .command import exit_status, say

EXAMPLES = """
examples:
  msr-job status      which jobs are on this node, and what they may do
  msr-job check       whether all is as it should be, in one line: for HealthCheckProgram and for NHC
  msr-job baseline    make what the registers hold now the baseline, after a change of the firmware's settings
  msr-job reset       bring the registers back to the baseline, before a drained node is resumed

Slurm's prolog and epilog run `msr-job prolog` and `msr-job epilog`; they name the job in the environment. Others say
`msr-job start --job=42.server --uid=1000 --user=alice --alone`, and `msr-job end --job=42.server`.

exit status:
  0  done
  1  the registers are not as they should be, or the settings are wrong
  2  the command line is wrong
  3  start: the job may not have what it asks for
"""

# Seconds that a prolog waits for the epilogs of others, and between two looks.
EPILOGS_TIME = 60
INTERVAL = 0.2
# Seconds for a question to Slurm from `check`: a health check has no more.
CHECK_TIME = 1
# Seconds that a boot waits for a slurmctld that can be told to drain the node, and between two tries.
DRAIN_TIME, DRAIN_INTERVAL = 300, 10
# Seconds that counting a job waits for others: it is no part of what a prolog may take.
TALLY_TIME = 1

REFUSED = 3
FLAGS = ('syslog', 'cancel_refused', 'alone')
WORDS = ('settings', 'profile', 'set')
# What start and end are told, which prolog and epilog find in the environment
TOLD = ('job', 'run', 'uid', 'user', 'account', 'partition', 'here')


class Options:
    """What the command line of a prolog or epilog says. It is read without argparse, which takes too long."""

    def __init__(self):
        self.settings, self.profile, self.syslog, self.cancel_refused, self.alone = PATH, '', False, False, False
        self.set, self.broken, self.overrides, self.told = '', '', {}, {}

    def read(self, arguments):
        """Take the options of a command line; one that means nothing is told in ``broken``."""
        for argument in arguments:
            name, equals, value = argument.partition('=')
            word = name[2:].replace('-', '_') if name.startswith('--') else ''
            if word in FLAGS and not equals:
                setattr(self, word, True)
            elif word in WORDS and equals:
                setattr(self, word, value)
            elif word in TOLD and equals:
                self.told[word] = value
            elif word in CHOICES and equals:
                self.overrides[word] = value
            else:
                self.broken = 'there is no option %s (in plugstack.conf, or in a script)' % argument
        return self


def main(arguments=None, machine=None, environment=None):
    """Run the command and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    machine, environment = machine or Machine(), dict(os.environ if environment is None else environment)
    if arguments and arguments[0] in CYCLE and not {'-h', '--help'}.intersection(arguments):
        options = Options().read(arguments[1:])
        return exit_status('msr-job', CYCLE[arguments[0]], machine, options, environment)
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    return exit_status('msr-job', run, machine, options, environment)


def build_parser():
    import argparse  # Not on the way of prolog and epilog

    parser = argparse.ArgumentParser(
        prog='msr-job',
        description='Leaves the registers of a node as a job found them.',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version='%(prog)s ' + VERSION)
    commands = parser.add_subparsers(dest='command', metavar='COMMAND')

    def add(name, function, summary):
        command = commands.add_parser(name, help=summary, description=summary + '.')
        command.add_argument('--settings', metavar='FILE', default=PATH, help='default: ' + PATH)
        command.add_argument('--syslog', action='store_true', help='log to syslog rather than print')
        for setting, choices in CHOICES.items():
            # Spelled as in the file, too: plugstack.conf has them so
            spellings = sorted({'--' + setting.replace('_', '-'), '--' + setting})
            command.add_argument(*spellings, dest=setting, choices=choices, help='override this setting')
        command.set_defaults(run=function)
        return command

    beginning = add('prolog', None, 'bring the registers to the baseline, and activate the list that a job gets')
    beginning.add_argument('--profile', metavar='NAME', default='', help='the profile that the job asks for')
    beginning.add_argument('--cancel-refused', action='store_true', help='cancel a job that may not have its profile')
    add('epilog', None, 'bring the registers back, and the list of the node')
    starting = add('start', None, 'as prolog, for a job that is named here: for resource managers other than Slurm')
    starting.add_argument('--profile', metavar='NAME', default='', help='the profile that the job asks for')
    starting.add_argument('--alone', action='store_true', help='the job has this node for itself')
    ending = add('end', None, 'as epilog, for a job that is named here')
    for command in (beginning, starting):
        command.add_argument('--set', metavar='NAME=VALUE,…', default='', help='what the job wants set')
    for command in (starting, ending):
        command.add_argument('--job', metavar='ID', required=True, help='its number: 42.server')
        command.add_argument('--here', metavar='ID,…', help='the jobs on this node; without, all that have a record')
    for word in ('run', 'uid', 'user', 'account', 'partition'):
        starting.add_argument('--' + word, help='of the job')
    reporting = add('report', tell, 'say which registers a job has changed')
    reporting.add_argument('--job', required=True)
    reporting.add_argument('--restore', action='store_true', help='bring them back now, if no other job is here')
    add('baseline', take_baseline, 'make what the registers hold now the baseline of this node')
    resetting = add('reset', bring_to_baseline, 'bring the registers to the baseline, and forget all jobs')
    resetting.add_argument('--force', action='store_true', help='also where Slurm has a job on this node')
    resetting.add_argument('--boot', action='store_true', help='do nothing where jobs are on this node')
    checking = add('check', check, 'say whether all is as it should be, and change nothing')
    forms = checking.add_mutually_exclusive_group()
    forms.add_argument('--all', action='store_true', help='each thing that was looked at in a line')
    forms.add_argument('--json', action='store_true', help='the same, for programs')
    forms.add_argument('--prometheus', action='store_true', help='the same and counters, for a textfile collector')
    add('status', status, 'say which jobs are on this node')
    add('standby', standby, 'be ready for what the SPANK plugin asks for: run by msr-safe-standby.service')
    return parser


def run(machine, options, environment):
    """Run a subcommand while no prolog or epilog of this node does."""
    overrides = {name: getattr(options, name) for name in CHOICES}
    if options.run is standby:
        return standby(machine)
    if options.run is check:
        return check(machine, options, read_settings_or_usual(machine, options.settings, overrides), environment)
    settings = read_settings(machine, options.settings, overrides)
    manager = Slurm(machine, node_name(environment), settings.slurm_bin)
    if getattr(options, 'boot', False):
        return come_up(machine, options, settings, manager)
    with jobs_locked(machine):
        return options.run(machine, options, settings, manager)


def log(options, lines, urgent=False):
    """Tell whoever runs this: Slurm's log through the plugin, or syslog."""
    for line in lines:
        if options.syslog:
            import syslog

            # With escapes for what is no text: a user may have named the account
            text = line.encode('utf-8', 'backslashreplace').decode('utf-8')
            syslog.syslog(syslog.LOG_ERR if urgent else syslog.LOG_INFO, text)
        else:
            say(line + '\n')


def settings_of(machine, options):
    """Return the settings for a prolog or an epilog: such as can be had, which say what is broken."""
    if options.broken:
        return usual_settings(options.broken)
    return read_settings_or_usual(machine, options.settings, options.overrides)


def prolog(machine, options, environment):
    """Begin a job of Slurm's. A job that is refused is no failure of the node."""
    settings, job = settings_of(machine, options), job_of(environment)
    if not job.alone:
        settings, notes = with_partitions(machine, settings)
        log(options, notes)
    manager = Slurm(machine, job.node, settings.slurm_bin)
    try:
        return begin_job(machine, options, settings, job, manager)
    except Refused as refusal:
        log(options, ['job %s is refused: %s' % (job.id, one_line(refusal))])
        refuse(machine, manager, job, refusal, options)
        return 0


def start(machine, options, _environment):
    """Begin a job that the command line names. That it is refused is told by the exit status."""
    settings, job = settings_of(machine, options), told_job(options)
    if 'uid' not in options.told:
        raise MsrSafeError('--uid does not say whose job it is.', 'Say: --uid=1000')
    try:
        return begin_job(machine, options, settings, job, Told(told_here(options)))
    except Refused as refusal:
        say(one_line(refusal) + '\n')
        return REFUSED


def begin_job(machine, options, settings, job, manager):
    """Begin a job and return the exit status. Raises Refused."""
    began = time.monotonic()
    try:
        lines = begin_patiently(machine, job, options, settings, manager)
    except Refused as refusal:
        tally(machine, began, 'prolog_seconds', refusals=1, restores=restores_in(refusal.lines))
        log(options, refusal.lines)
        raise
    except (MsrSafeError, OSError) as error:
        tally(machine, began, 'prolog_seconds', failures=1)
        return failed(options, manager, settings.prolog_failure, 'job ' + job.id, error)
    tally(machine, began, 'prolog_seconds', jobs=1, restores=restores_in(lines))
    log(options, lines)
    return 0


def begin_patiently(machine, job, options, settings, manager):
    """Begin a job once the epilogs have run of those that Slurm is completing; they want the lock.

    Slurm may start a prolog while the epilog of the job before, on a node of its own, has yet to run.
    """
    deadline = time.monotonic() + EPILOGS_TIME
    while True:
        with jobs_locked(machine):
            here = set(read_records(machine))
            try:
                return begin(machine, job, options.profile, settings, manager, time.monotonic() < deadline, options.set)
            except Ending:
                pass
        again = time.monotonic() + 25 * INTERVAL
        while time.monotonic() < min(again, deadline) and all(read_record(machine, each) for each in here):
            time.sleep(INTERVAL)


def refuse(machine, manager, job, refusal, options):
    """Have the user be told: by the plugin as the job starts, or else in what Slurm knows about the job."""
    if not options.cancel_refused:
        write_refusal(machine, job.id, one_line(refusal))
        return
    try:
        manager.cancel(job.id, 'msr-safe: ' + one_line(refusal))
    except MsrSafeError as error:
        # It was cancelled on another of its nodes, or goes on without a register to write
        log(options, ['job %s is not cancelled here: %s' % (job.id, one_line(error))])


def epilog(machine, options, environment):
    settings, job = settings_of(machine, options), job_of(environment)
    return end_job(machine, options, settings, job, Slurm(machine, job.node, settings.slurm_bin))


def finish(machine, options, _environment):
    return end_job(machine, options, settings_of(machine, options), told_job(options), Told(told_here(options)))


def end_job(machine, options, settings, job, manager):
    """End a job, also where the settings are broken; return the exit status."""
    began = time.monotonic()
    if settings.broken:
        log(options, ['msr-safe: the settings are broken: ' + settings.broken], urgent=True)
    try:
        with jobs_locked(machine):
            lines = end(machine, job, settings, manager)
    except (MsrSafeError, OSError) as error:
        tally(machine, began, 'epilog_seconds', failures=1)
        return failed(options, manager, settings.epilog_failure, 'job ' + job.id, error)
    tally(machine, began, 'epilog_seconds', restores=restores_in(lines))
    log(options, lines)
    if settings.admin_comment == 'accounting':
        comment(options, manager, job, lines)
    return 0


def comment(options, manager, job, lines):
    """Have the accounting say what was brought back after a job; one that changed nothing costs nothing."""
    head = 'job %s: ' % job.id
    changes = [' '.join(line[len(head) :].split()) for line in lines if line.startswith(head) and ' -> ' in line]
    if changes:
        try:
            manager.comment(job.id, 'msr-safe: restored on %s: %s' % (job.node, ', '.join(changes)))
        except MsrSafeError as error:
            log(options, ['job %s: its AdminComment does not say so: %s' % (job.id, one_line(error))])


CYCLE = {'prolog': prolog, 'epilog': epilog, 'start': start, 'end': finish}


def told_job(options):
    """Return the Job that the command line is about. Raises MsrSafeError."""
    told = options.told
    uid = told.get('uid', '')
    if not is_name(told.get('job', '')) or not (uid.isdigit() or not uid):
        raise MsrSafeError('--job and --uid do not name a job.', 'Say: --job=42.server --uid=1000')
    return Job(
        told['job'],
        told.get('run', ''),
        os.uname().nodename.partition('.')[0],
        int(uid or 0),
        told.get('user', ''),
        told.get('account', ''),
        told.get('partition', ''),
        options.alone,
    )


def told_here(options):
    """Return the jobs that are said to be on the node, None where nothing is said."""
    here = options.told.get('here')
    return None if here is None else [job for job in here.split(',') if job]


def tally(machine, began, part, **counts):
    """Count what became of a job. Whatever hinders that hinders no job."""
    counts[part] = time.monotonic() - began
    try:
        with jobs_locked(machine, TALLY_TIME):
            count(machine, **counts)
    except (MsrSafeError, OSError):
        pass


def restores_in(lines):
    return len([line for line in lines if ' -> ' in line])


def failed(options, manager, policy, what, error):
    """Drain the node, or go on, as the settings say; return the exit status. what: failed, in words."""
    reason = 'msr-safe: %s: %s' % (what, one_line(error))
    log(options, [reason], urgent=True)
    if policy == 'tolerate':
        return 0
    drained(options, manager, reason)
    # Slurm drains it, too, for the exit status
    return 1


def drained(options, manager, reason):
    """Drain the node, and return whether that could be told to Slurm."""
    try:
        manager.drain(reason)
        return True
    except MsrSafeError as problem:
        log(options, ['the reason could not be told to Slurm: ' + one_line(problem)], urgent=True)
        return False


def one_line(error):
    return ' '.join(str(error).split())


def tell(machine, options, settings, _manager):
    lines, restored = report(machine, options.job, settings, options.restore)
    if not lines:
        say('no register is changed\n')
        return 0
    say('the job changed these registers, %s:\n' % ('now restored' if restored else 'restored when it ends'))
    say(''.join(line + '\n' for line in lines))
    return 0


def take_baseline(machine, options, settings, manager):
    renew_baseline(machine, settings, manager)
    log(options, ['baseline saved'])
    return 0


def bring_to_baseline(machine, options, settings, manager):
    log(options, ['baseline: ' + line for line in reset(machine, settings, manager, options.force)])
    return 0


def come_up(machine, options, settings, manager):
    """Bring the registers to the baseline as the node boots; return the exit status.

    Where that cannot be, the node is drained, with the reason, and slurmd may start: a slurmd that is missing tells
    nobody why. Slurm may not be there for a while: nobody is to wait for that but this.
    """
    try:
        with jobs_locked(machine):
            if read_records(machine):
                log(options, ['jobs are on this node: the registers are left as they are'])
                return 0
            require_module(machine)
            log(options, ['baseline: ' + line for line in reset(machine, settings, manager, options.force)])
            return 0
    except MsrSafeError as error:
        reason = 'msr-safe: at boot: ' + one_line(error)
        log(options, [reason], urgent=True)
        return 0 if settings.prolog_failure == 'tolerate' or drained(options, Patient(manager), reason) else 1


def require_module(machine):
    """Raise MsrSafeError, as msr-safe.service does, where no msr-safe is in the kernel and none can be loaded."""
    from ..hardware.devices import approved_list_device
    from ..hardware.kernel_module import load_at_boot

    try:
        approved_list_device(machine)
    except MsrSafeError:
        load_at_boot(machine)


class Patient:
    """A resource manager that is asked again for a while: as a cluster is switched on, nodes are up before it."""

    def __init__(self, manager):
        self.manager = manager

    def drain(self, reason):
        deadline = time.monotonic() + DRAIN_TIME
        while True:
            try:
                return self.manager.drain(reason)
            except MsrSafeError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(DRAIN_INTERVAL)


def check(machine, options, settings, environment):
    """Say whether the node is as it should be; exit status 1 where it is not. Waits for nobody for long."""
    from ..jobs.health import BAD, NOT_CHECKED, Finding, examine, examine_settings
    from .health import examine_plugin, render

    manager = Slurm(machine, node_name(environment), settings.slurm_bin, CHECK_TIME)
    try:
        findings = [examine_settings(machine, settings)]
        with jobs_locked(machine, CHECK_TIME):
            findings += examine(machine, settings, manager)
    except MsrSafeError as error:
        findings = [Finding('node', NOT_CHECKED, one_line(error))]
    findings.append(examine_plugin(machine))
    say(render(machine, findings, options))
    return 1 if any(finding.state == BAD for finding in findings) else 0


def standby(machine):
    """Do what the plugin asks for until the end, a child each."""
    from .standby import stand_by

    return stand_by(machine, main)


def status(machine, options, settings, _manager):
    from .table import render_table

    rows = [['JOB', 'UID', 'PROFILE', 'MAY']]
    rows += [
        [each.job, str(each.uid), each.profile or "(the node's list)", 'write' if each.writes else 'read']
        for each in read_records(machine).values()
    ]
    say(render_table(rows) if len(rows) > 1 else 'no job\n')
    return 0
