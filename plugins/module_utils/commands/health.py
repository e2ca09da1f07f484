# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The health of a node in the forms that are asked for: a line, a page, JSON, Prometheus' text."""

import json

from ..jobs.counters import COUNTERS, read_counters
from ..jobs.health import BAD, GOOD, NOT_CHECKED, Finding
from ..jobs.standby import stands_by
from ..provisioning.slurm_node import PLUGIN_STAMP, STANDBY_UNIT, is_enabled, observe_slurmd
from .table import render_table

NOBODY_STANDS_BY = ', and starts a Python for each prolog and epilog: see systemctl status msr-safe-standby'
STATES = {GOOD: 0, NOT_CHECKED: 1, BAD: 2}


def examine_plugin(machine):
    """Return the Finding about the SPANK plugin in each slurmd that runs, if the role installed one."""
    if not machine.exists(PLUGIN_STAMP):
        return Finding('plugin', GOOD, 'none is installed: scripts or another manager call msr-job')
    slurmds = observe_slurmd(machine)
    wrong = [slurmd for slurmd in slurmds if slurmd['loaded'] not in ('current', None)]
    if wrong:
        return Finding('plugin', BAD, said_of_slurmds(wrong, len(slurmds)))
    if not slurmds or any(slurmd['loaded'] is None for slurmd in slurmds):
        return Finding('plugin', NOT_CHECKED, 'its memory map is not to be read' if slurmds else 'slurmd does not run')
    return Finding('plugin', GOOD, 'slurmd has loaded it' + said_of_standby(machine))


def said_of_slurmds(wrong, count):
    """Return what is to be said of each slurmd without the plugin, of so many."""
    units = ' '.join(sorted({slurmd['unit'] or 'slurmd' for slurmd in wrong}))
    which = '' if count == 1 else ' (pid %s)' % ', '.join(str(slurmd['pid']) for slurmd in wrong)
    return 'slurmd%s runs without it or with an old one: systemctl restart %s, between jobs' % (which, units)


def said_of_standby(machine):
    """Return what is to be said of the msr-job that stands by. Without it jobs are as well, only slower."""
    if not is_enabled(machine, STANDBY_UNIT):
        return ''
    return ', and asks the msr-job that stands by' if stands_by(machine) else NOBODY_STANDS_BY


def render(machine, findings, options):
    """Return the findings as a text."""
    if options.json:
        content = {'healthy': not of_state(findings, BAD), 'findings': [each._asdict() for each in findings]}
        return json.dumps(dict(content, counters=read_counters(machine)), indent=2) + '\n'
    if options.prometheus:
        return render_prometheus(findings, read_counters(machine))
    if options.all:
        return render_table([['WHAT', 'STATE', ''], *[list(each) for each in findings]])
    return render_line(findings)


def of_state(findings, state):
    return [each for each in findings if each.state == state]


def render_line(findings):
    """Return what is bad in a line, or that all is good and what was not checked."""
    bad, unchecked = of_state(findings, BAD), of_state(findings, NOT_CHECKED)
    if bad:
        return 'msr-safe: %s\n' % '; '.join('%s: %s' % (each.what, each.said) for each in bad)
    rest = ', but for what was not checked: ' + ', '.join(each.what for each in unchecked) if unchecked else ''
    return 'msr-safe: all is as it should be%s\n' % rest


def render_prometheus(findings, counters):
    """Return the text format of Prometheus: states (0 good, 1 not checked, 2 bad) and counters."""
    lines = ['# HELP msr_safe_state Of each thing that was looked at: 0 good, 1 not checked, 2 bad.']
    lines += ['# TYPE msr_safe_state gauge']
    lines += ['msr_safe_state{what="%s"} %d' % (each.what, STATES[each.state]) for each in findings]
    for name, words in COUNTERS.items():
        metric = 'msr_safe_%s_total' % name
        lines += ['# HELP %s %s' % (metric, words), '# TYPE %s counter' % metric, '%s %.10g' % (metric, counters[name])]
    return '\n'.join(lines) + '\n'
