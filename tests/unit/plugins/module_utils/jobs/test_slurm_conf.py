# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What slurm.conf says, and what is said about it."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.slurm_conf import (
    advice_about,
    exclusive_partitions,
    faults_of,
    read_slurm_conf,
)

CONF = '/etc/slurm/slurm.conf'
PROLOG, EPILOG = '/etc/slurm/prolog.d/50-msr-safe', '/etc/slurm/epilog.d/50-msr-safe'
GOOD = 'PrologFlags=Alloc\nProctrackType=proctrack/cgroup\nBatchStartTimeout=130\n'
SLURMDBD = 'AccountingStorageType=accounting_storage/slurmdbd\n'


@pytest.fixture
def conf(node):
    def read(text, **others):
        node.put(CONF, text)
        for name, content in others.items():
            node.put('/etc/slurm/%s.conf' % name, content)
        return read_slurm_conf(node.machine, CONF)

    return read


def test_names_are_in_any_case_and_values_may_be_in_quotes(conf):
    found = conf(
        'selecttype = select/linear # all of it\n#PrologFlags=Alloc\nPluginDir="/opt/a b"\nNodeName=n1 CPUs=4\n'
    )
    assert found.values == {'selecttype': 'select/linear', 'plugindir': '/opt/a b'}


def test_lines_go_on_and_include_others(conf):
    found = conf(
        'PrologFlags=Alloc, \\\n Contain\ninclude parts.conf\n', parts='PartitionName=a Nodes=ALL\ninclude parts.conf\n'
    )
    assert list(found.partitions) == ['a']


@pytest.mark.parametrize(
    ('text', 'values'),
    [
        ('# was D:\\\nPrologFlags=Alloc\n', {'prologflags': 'Alloc'}),
        ('SelectType=select/linear # \\\nSelectType=select/cons_tres\n', {'selecttype': 'select/cons_tres'}),
        ('PrologFlags=Alloc \\  \nMaxNodes=2\n', {'prologflags': 'Alloc', 'maxnodes': '2'}),
        ('PrologFlags=Alloc \\\r\nMaxNodes=2\r\n', {'prologflags': 'Alloc', 'maxnodes': '2'}),
        ('PluginDir=/a\\#b # c\nMaxNodes=2\n', {'plugindir': '/a#b', 'maxnodes': '2'}),
        ('PluginDir=/a\\\\\nMaxNodes=2\n', {'plugindir': '/a\\', 'maxnodes': '2'}),
    ],
)
def test_comments_end_before_a_line_goes_on(conf, text, values):
    """As src/common/parse_config.c has it: a comment goes to the end of its own line, a backslash in it is of it."""
    assert conf(text).values == values


def test_a_file_that_is_named_after_the_cluster_is_included(conf):
    assert conf('ClusterName=Blue\ninclude %c.conf\n', blue='PartitionName=a\n').partitions == {'a': {}}


def test_without_a_file(node):
    assert read_slurm_conf(node.machine, '/etc/slurm/none') is None


@pytest.mark.parametrize(
    ('text', 'names'),
    [
        ('PartitionName=a OverSubscribe=EXCLUSIVE\nPartitionName=b OverSubscribe=FORCE:4\nPartitionName=c\n', ['a']),
        ('PartitionName=a Shared=Exclusive\n', ['a']),
        ('PartitionName=DEFAULT OverSubscribe=EXCLUSIVE\nPartitionName=a\nPartitionName=b OverSubscribe=NO\n', ['a']),
        ('PartitionName=DEFAULT OverSubscribe=EXCLUSIVE\nPartitionName=a\nPartitionName=b Shared=YES\n', ['a']),
        ('PartitionName=DEFAULT Shared=YES\nPartitionName=a OverSubscribe=EXCLUSIVE\nPartitionName=b\n', ['a']),
        ('partitionname=default oversubscribe=exclusive\nPARTITIONNAME=a\n', ['a']),
        ('SelectType=select/linear\nPartitionName=a\nPartitionName=b OverSubscribe=YES:2\n', ['a']),
        ('PartitionName=Default OverSubscribe=EXCLUSIVE\nPartitionName=a\nPartitionName=DEFAULT Shared=NO\n', ['a']),
        ('PartitionName=a ExclusiveUser=YES\n', []),
    ],
)
def test_partitions_whose_jobs_have_their_nodes_for_themselves(conf, text, names):
    assert exclusive_partitions(conf(text)) == names


@pytest.mark.parametrize(
    ('text', 'method', 'accounts', 'words'),
    [
        ('', 'spank', [], 'Add PrologFlags=Alloc'),
        ('PrologFlags=NoHold\n', 'spank', [], 'slurm.conf has PrologFlags=NoHold'),
        (GOOD, 'scripts', [], 'Write Prolog=/etc/slurm/prolog.d/*'),
        (GOOD, 'scripts', [], 'Make /etc/slurm/prolog.d on every node first'),
        (
            GOOD + 'Prolog=/site/prolog\nEpilog=/etc/slurm/epilog.d/*\n',
            'scripts',
            [],
            'slurm.conf has Prolog=/site/prolog',
        ),
        (GOOD, 'spank', ['perf'], 'The profiles perf are for accounts'),
        (GOOD + 'Prolog=/etc/slurm/*\n', 'scripts', [], 'slurm.conf has Prolog=/etc/slurm/*'),
        (GOOD + 'Prolog=/etc/slurm/prolog.d/*.sh\n', 'scripts', [], 'slurm.conf has Prolog=/etc/slurm/prolog.d/*.sh'),
        (GOOD + SLURMDBD + 'AccountingStorageEnforce=nosteps\n', 'spank', ['perf'], 'lets anybody name any account'),
        # slurmctld 22.05 says that this cannot be, starts all the same, and lets anybody name any account
        (GOOD + 'AccountingStorageEnforce=associations\n', 'spank', ['perf'], 'has AccountingStorageType= and'),
    ],
)
def test_what_has_to_be_changed(conf, text, method, accounts, words):
    faults = faults_of(conf(text), method, PROLOG, EPILOG, accounts, False)
    assert words in faults[0]


@pytest.mark.parametrize(
    ('text', 'trusts'),
    [
        ('', True),
        (SLURMDBD + 'AccountingStorageEnforce=associations,limits\n', False),
        (SLURMDBD + 'AccountingStorageEnforce=safe\n', False),
    ],
)
def test_accounts_that_are_checked_or_trusted(conf, text, trusts):
    assert faults_of(conf(GOOD + text), 'spank', PROLOG, EPILOG, ['perf'], trusts) == []


@pytest.mark.parametrize(
    'prolog',
    [
        'Prolog=%s' % PROLOG,
        'Prolog = "/etc/slurm/prolog.d/*"',
        'Prolog=%s*' % PROLOG[:-2],
        'Prolog=/etc/slurm/prolog.d/[0-9]*',
    ],
)
def test_scripts_that_slurm_runs(conf, prolog):
    text = GOOD + '%s\nEpilog=/etc/slurm/epilog.d/*\n' % prolog
    assert faults_of(conf(text), 'scripts', PROLOG, EPILOG, [], False) == []


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('ProctrackType=proctrack/linuxproc\n', 'processes can outlive their job'),
        ('ProctrackType=proctrack/cgroup\n', 'slurm.conf has BatchStartTimeout=10'),
        (GOOD + 'PrologEpilogTimeout=60\n', 'Write PrologEpilogTimeout=130'),
        (GOOD + 'PreemptMode=SUSPEND,GANG\n', 'leaves its registers to the one that runs instead'),
        (GOOD + 'SchedulerParameters=nohold_on_prolog_fail\n', 'tries node after node'),
        (GOOD.replace('Alloc', 'Alloc,RunInJob'), 'in the control group of the job'),
    ],
)
def test_what_should_be_known(conf, text, words):
    assert words in ''.join(advice_about(conf(text)))


def test_nothing_to_say(conf):
    assert advice_about(conf(GOOD)) == []
