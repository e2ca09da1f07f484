# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""msr-job: what Slurm's prolog and epilog, and the boot of a node, do to the registers."""

import argparse
import contextlib
import os
import syslog

from ..errors import MsrSafeError
from ..jobs.baseline import BASELINE, save_baseline
from ..jobs.cycle import Refused, await_epilogs, begin, end, report, reset
from ..jobs.record import jobs_locked, read_records, refusal_of
from ..jobs.settings import CHOICES, PATH, read_settings
from ..jobs.slurm import cancel, drain, job_of, node_name
from ..machine import Machine
from ..version import VERSION
from .command import exit_status, say
from .table import render_table

EXAMPLES = """
examples:
  msr-job status      which jobs are on this node, and what they may do
  msr-job baseline    make what the registers hold now the baseline, after a change of the firmware's settings
  msr-job reset       bring the registers back to the baseline, before a drained node is resumed

Slurm's prolog and epilog run `msr-job prolog` and `msr-job epilog`; they name the job in the environment.

exit status:
  0  done
  1  the registers are not as they should be, or the settings are wrong
  2  the command line is wrong
"""


def build_parser():
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

    beginning = add('prolog', prolog, "activate the list of a job's profile, and save what the registers hold")
    beginning.add_argument('--profile', metavar='NAME', default='', help='the profile that the job asks for')
    beginning.add_argument('--cancel-refused', action='store_true', help='cancel a job that may not have its profile')
    add('epilog', epilog, 'bring the registers back, and the list of the node')
    reporting = add('report', tell, 'say which registers a job has changed')
    reporting.add_argument('--job', type=int, required=True)
    reporting.add_argument('--restore', action='store_true', help='bring them back now')
    add('baseline', take_baseline, 'make what the registers hold now the baseline of this node')
    add('reset', bring_to_baseline, 'bring the registers to the baseline, and forget all jobs')
    add('status', status, 'say which jobs are on this node')
    return parser


def main(arguments=None, machine=None, environment=None):
    """Run the command and return its exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    options.environment = dict(os.environ if environment is None else environment)
    if options.command is None:
        parser.print_help()
        return 2
    return exit_status('msr-job', run, machine or Machine(), options)


def run(machine, options):
    """Run a subcommand while no other prolog or epilog of this node does."""
    overrides = {name: getattr(options, name) for name in CHOICES}
    settings = read_settings(machine, options.settings, overrides)
    if options.run is prolog:
        wait_for_epilogs(machine, options)
    with jobs_locked(machine):
        return options.run(machine, options, settings)


def log(options, lines, priority=syslog.LOG_INFO):
    """Tell whoever runs this: Slurm's log through the plugin, or syslog."""
    for line in lines:
        if options.syslog:
            syslog.syslog(priority, line)
        else:
            say(line + '\n')


def wait_for_epilogs(machine, options):
    # Where Slurm does not answer, the prolog meets that, too, and deals with it
    with contextlib.suppress(MsrSafeError):
        await_epilogs(machine, job_of(options.environment).id, node_name(options.environment))


def prolog(machine, options, settings):
    job, node = job_of(options.environment), node_name(options.environment)
    try:
        log(options, begin(machine, job, options.profile, settings, node))
    except Refused as refusal:
        log(options, ['job %d is refused: %s' % (job.id, one_line(refusal))])
        refuse(machine, job, refusal, options)
    except MsrSafeError as error:
        return failed(machine, options, settings.prolog_failure, job.id, error)
    return 0


def refuse(machine, job, refusal, options):
    """Have the user be told: by the plugin as the job starts, or else in what Slurm knows about the job."""
    if options.cancel_refused:
        cancel(machine, job.id, 'msr-safe: ' + one_line(refusal))
    else:
        machine.write(refusal_of(job.id), one_line(refusal).encode('utf-8'), mode=0o600)


def epilog(machine, options, settings):
    job, node = job_of(options.environment), node_name(options.environment)
    try:
        log(options, end(machine, job.id, settings, node))
    except MsrSafeError as error:
        return failed(machine, options, settings.epilog_failure, job.id, error)
    return 0


def failed(machine, options, policy, job, error):
    """Drain the node, or go on, as the settings say; return the exit status."""
    reason = 'msr-safe: job %d: %s' % (job, one_line(error))
    log(options, [reason], syslog.LOG_ERR)
    if policy == 'tolerate':
        return 0
    drain(machine, node_name(options.environment), reason)
    return 1


def one_line(error):
    return ' '.join(str(error).split())


def tell(machine, options, settings):
    lines = report(machine, options.job, settings, options.restore)
    if not lines:
        say('no register is changed\n')
        return 0
    say('the job changed these registers, %s:\n' % ('now restored' if options.restore else 'restored when it ends'))
    say(''.join(line + '\n' for line in lines))
    return 0


def take_baseline(machine, options, settings):
    jobs = list(read_records(machine))
    if jobs:
        raise MsrSafeError(
            'Job %d is on this node, and may have changed registers.' % jobs[0], 'Drain the node, and wait for it.'
        )
    save_baseline(machine, settings)
    log(options, ['baseline saved in ' + BASELINE])
    return 0


def bring_to_baseline(machine, options, settings):
    log(options, ['baseline: ' + line for line in reset(machine, settings)])
    return 0


def status(machine, options, settings):
    rows = [['JOB', 'UID', 'PROFILE']]
    rows += [
        [str(each.job), str(each.uid), each.profile or "(the node's list)"] for each in read_records(machine).values()
    ]
    say(render_table(rows) if len(rows) > 1 else 'no job\n')
    return 0
