# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""slurm.conf, as far as it is about jobs and their registers: what it says, and what it should say.

Looked at as a file: it is there without slurmctld, and in an image.
"""

import collections
import fnmatch
import os
import re

# As slurm.conf(5) has it: Name=value, names in any case; values with blanks are in quotes.
ASSIGNMENT = re.compile(r'([A-Za-z][\w]*)\s*=\s*("[^"]*"|\S*)')
# What of a line is no comment: a # behind a backslash begins none.
BEFORE_COMMENT = re.compile(r'(?:[^\\#]|\\.)*\\?')
ESCAPE = re.compile(r'\\(.?)')
# Seconds that a prolog or an epilog of ours may need: for the lock, and for the epilogs of other jobs.
LONGEST = 130
# Slurm's own values where slurm.conf says nothing.
BATCH_START_TIMEOUT = 10
DEPTH = 8

SlurmConf = collections.namedtuple('SlurmConf', 'path values partitions')
SlurmConf.__doc__ = (
    """Its path, {name in lower case: value}, {partition: {name in lower case: value}}, DEFAULT's applied."""
)


def read_slurm_conf(machine, path, look=lambda _file: None):
    """Return the SlurmConf of a file and of those that it includes; None where there is no file.

    look: function that is told each of these files before it is read.
    """
    look(path)
    if not path or machine.read(path) is None:
        return None
    values, partitions, usual = {}, collections.OrderedDict(), {}
    for line in lines_of(machine, path, look):
        pairs = [(key_of(name), value.strip('"')) for name, value in ASSIGNMENT.findall(line)]
        if not pairs:
            continue
        kind, name = pairs[0]
        if kind == 'partitionname' and name.upper() == 'DEFAULT':
            usual.update(pairs[1:])
        elif kind == 'partitionname':
            for each in name.split(','):
                partitions[each] = dict(usual, **dict(pairs[1:]))
        elif kind not in ('nodename', 'nodeset', 'downnodes', 'frontendname', 'switchname'):
            values.update(pairs)
    return SlurmConf(path, values, partitions)


def key_of(name):
    """Return a name as the values have it; Shared is the former one of OverSubscribe."""
    return {'shared': 'oversubscribe'}.get(name.lower(), name.lower())


def lines_of(machine, path, look, depth=0, above=()):
    """Return the lines of a file without comments, those of included files where they are included.

    look: as of read_slurm_conf;
    above: the lines before, which say the name of the cluster: names of files may contain it, as ``%c``.
    """
    lines = []
    for line in whole_lines(machine.read_text(path) or ''):
        words = line.split()
        if len(words) > 1 and words[0].lower() == 'include' and depth < DEPTH:
            name = words[1].replace('%c', cluster_of([*above, *lines]))
            path_of_it = os.path.join(os.path.dirname(path), name)
            look(path_of_it)
            lines += lines_of(machine, path_of_it, look, depth + 1, [*above, *lines])
        elif line:
            lines.append(line)
    return lines


def whole_lines(text):
    """Return the lines of a text as Slurm reads them: comments end with their line, whatever goes on in the next.

    As src/common/parse_config.c of Slurm has it; a backslash before anything else than an end of line stands for that.
    """
    lines, begun = [], ''
    for line in text.split('\n'):
        line = BEFORE_COMMENT.match(line).group().rstrip()
        if (len(line) - len(line.rstrip('\\'))) % 2:
            begun += line[:-1]
        else:
            lines.append(begun + line)
            begun = ''
    return [ESCAPE.sub(r'\1', line).strip() for line in [*lines, begun]]


def cluster_of(lines):
    """Return the name of the cluster as it is in names of files, '' where these lines do not say it."""
    pairs = [pair for line in lines for pair in ASSIGNMENT.findall(line)]
    return next((value.strip('"').lower() for name, value in pairs if name.lower() == 'clustername'), '')


def exclusive_partitions(conf):
    """Return the partitions whose jobs have their nodes for themselves."""
    return [name for name, partition in conf.partitions.items() if is_exclusive(conf, partition)]


def is_exclusive(conf, partition):
    """Return whether no two jobs of a partition are on a node, as slurm.conf(5), "OverSubscribe", has it."""
    sharing = partition.get('oversubscribe', 'NO').upper().partition(':')[0]
    linear = conf.values.get('selecttype', '').lower() == 'select/linear'
    return sharing == 'EXCLUSIVE' or (linear and sharing == 'NO')


def faults_of(conf, method, prolog, epilog, accounts, trusts_accounts):
    """Return what in slurm.conf has to be changed, a text each: jobs would not be undone, or get what is not theirs.

    prolog, epilog: the scripts' paths; accounts: the profiles that are for accounts.
    """
    faults = []
    flags = words_of(conf, 'prologflags')
    if not flags & {'alloc', 'contain', 'runinjob', 'x11'}:
        faults.append(
            "slurm.conf has PrologFlags=%s: a prolog would run no earlier than a job's first step, and not on all of "
            'its nodes. Add PrologFlags=Alloc (or Contain), and run `scontrol reconfigure`.'
            % conf.values.get('prologflags', '')
        )
    for name, path in (('Prolog', prolog), ('Epilog', epilog)) if method == 'scripts' else ():
        configured = conf.values.get(name.lower(), '')
        directory = os.path.dirname(path)
        # A glob, whose patterns do not match a slash
        if os.path.dirname(configured) != directory or not fnmatch.fnmatchcase(path, configured):
            faults.append(
                'slurm.conf has %s=%s. Make %s on every node first, for slurmd drains a node that lacks it, and move '
                'there what is run now. Write %s=%s/*, and run `scontrol reconfigure`.'
                % (name, configured, directory, name, directory)
            )
    if accounts and not enforces_accounts(conf) and not trusts_accounts:
        faults.append(
            'The profiles %s are for accounts, but slurm.conf has AccountingStorageType=%s and '
            'AccountingStorageEnforce=%s: Slurm lets anybody name any account. Write '
            'AccountingStorageType=accounting_storage/slurmdbd and AccountingStorageEnforce=associations, give users '
            'instead, or set slurm_msr_trust_accounts.'
            % (
                ', '.join(accounts),
                conf.values.get('accountingstoragetype', ''),
                conf.values.get('accountingstorageenforce', ''),
            )
        )
    return faults


def enforces_accounts(conf):
    """Return whether Slurm lets users name accounts only that they belong to; the other words imply associations.

    Without slurmdbd slurmctld (22.05 was seen) calls them an error in its log, and lets anybody name any account.
    """
    has_slurmdbd = conf.values.get('accountingstoragetype', '').lower().rpartition('/')[2] == 'slurmdbd'
    return has_slurmdbd and bool(
        words_of(conf, 'accountingstorageenforce') & {'associations', '1', 'limits', 'qos', 'safe', 'all', 'wckeys'}
    )


def advice_about(conf):
    """Return what in slurm.conf should be known, a text each."""
    advice = []
    proctrack = conf.values.get('proctracktype', '')
    if proctrack != 'proctrack/cgroup':
        advice.append(
            "slurm.conf has ProctrackType=%s: processes can outlive their job. The epilog kills those of the job's "
            'user that have a device open; proctrack/cgroup kills all.' % proctrack
        )
    for name, usual in (('BatchStartTimeout', BATCH_START_TIMEOUT), ('PrologEpilogTimeout', None)):
        seconds = number(conf.values.get(name.lower()), usual)
        if seconds is not None and seconds < LONGEST:
            advice.append(
                'slurm.conf has %s=%d: a prolog that waits for other jobs may need %d s. Write %s=%d.'
                % (name, seconds, LONGEST, name, LONGEST)
            )
    preemption = words_of(conf, 'preemptmode')
    if preemption & {'suspend', 'gang'}:
        advice.append(
            'slurm.conf has PreemptMode=%s: a job that is suspended leaves its registers to the one that runs instead. '
            'Use CANCEL or REQUEUE where jobs may write registers.' % conf.values['preemptmode']
        )
    if 'runinjob' in words_of(conf, 'prologflags'):
        advice.append(
            'slurm.conf has PrologFlags=RunInJob: prolog and epilog run in the control group of the job, within its '
            'limits of memory. This was not tried.'
        )
    if 'nohold_on_prolog_fail' in words_of(conf, 'schedulerparameters'):
        advice.append(
            'slurm.conf has SchedulerParameters=nohold_on_prolog_fail: a job whose prolog fails tries node after node.'
        )
    return advice


def words_of(conf, name):
    """Return the words of a value, in lower case."""
    return {word.strip().lower() for word in conf.values.get(name, '').split(',') if word.strip()}


def number(text, usual):
    return int(text) if text and text.isdigit() else usual
