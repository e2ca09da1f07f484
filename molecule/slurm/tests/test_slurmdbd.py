# SPDX-License-Identifier: GPL-3.0-or-later
"""With slurmdbd: accounts are their members', and a job's record says what its epilogs brought back."""

import shlex

import pytest
from cluster import JOB, wait_until
from debian_packages import install

pytestmark = pytest.mark.slow

DATABASE = """set -e
cat >/etc/slurm/slurmdbd.conf <<'EOF'
DbdHost=controller
DbdAddr=10.7.0.1
SlurmUser=slurm
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StorageLoc=accounting
LogFile=/var/log/slurm/slurmdbd.log
PidFile=/run/slurmdbd.pid
EOF
chown slurm /etc/slurm/slurmdbd.conf
chmod 600 /etc/slurm/slurmdbd.conf
systemctl start mariadb
mariadb -e 'CREATE DATABASE IF NOT EXISTS accounting;
    CREATE USER IF NOT EXISTS slurm@localhost IDENTIFIED VIA unix_socket;
    GRANT ALL ON accounting.* TO slurm@localhost'
systemctl restart slurmdbd
"""
ACCOUNTS = """
sacctmgr --immediate add cluster test
sacctmgr --immediate add account physics,biology
sacctmgr --immediate add user user account=physics
sacctmgr --immediate add user other account=biology
sacctmgr --noheader --parsable2 show associations format=user,account
"""
STORAGE = 'AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=10.7.0.1\n'
ENFORCED = 'AccountingStorageEnforce=associations\n'
CONFIGURATION = '/etc/slurm/slurm.conf'
SETTINGS = '/etc/msr-safe/jobs.conf'
LOG = '/var/log/slurm/slurmd.log'
RESTORED = 'msr-safe: restored on {}: 0x000001a0 ia32_misc_enable '


def everywhere(cluster):
    return (cluster, *cluster.nodes.values())


def configure(cluster, text):
    """Write slurm.conf everywhere; what keeps the accounting is read as slurmctld starts."""
    for host in everywhere(cluster):
        host.write(CONFIGURATION, text)
    cluster.run('systemctl restart slurmctld')
    wait_until(lambda: all(cluster.try_run(f'sinfo -h -n {name} -o %t').stdout == 'idle\n' for name in cluster.nodes))


@pytest.fixture(scope='module')
def other(cluster):
    """A second user, on all nodes."""
    for host in everywhere(cluster):
        host.run('id other || useradd --create-home --uid 1200 other')
    yield
    for host in everywhere(cluster):
        host.run('userdel --remove --force other')


@pytest.fixture(scope='module')
def database(cluster):
    """slurmdbd on the controller, and what it keeps its records in."""
    install(cluster, 'slurmdbd', 'mariadb-server')
    cluster.run(DATABASE)
    yield
    cluster.run('systemctl stop slurmdbd mariadb; systemctl disable slurmdbd mariadb')


@pytest.fixture(scope='module')
def accounting(cluster, database, other):
    """A cluster with two accounts, a member each, whose users name only accounts that are theirs."""
    before = cluster.read(CONFIGURATION)
    cluster.write(CONFIGURATION, before + STORAGE + ENFORCED)
    wait_until(lambda: cluster.try_run('sacctmgr --noheader show cluster').returncode == 0)
    said = cluster.run(ACCOUNTS)
    assert 'user|physics\n' in said and 'other|biology\n' in said, said
    configure(cluster, before + STORAGE + ENFORCED)
    yield
    cluster.run('scancel --user=user; scancel --user=other')
    configure(cluster, before)


@pytest.fixture(scope='module')
def commenting(cluster, accounting):
    """Nodes whose epilogs say in the accounting what they brought back."""
    for host in cluster.nodes.values():
        host.run(f'sed -i.before "s/^admin_comment = .*/admin_comment = accounting/" {SETTINGS}')
        assert 'admin_comment = accounting\n' in host.read(SETTINGS)
    yield
    for host in cluster.nodes.values():
        host.run(f'mv {SETTINGS}.before {SETTINGS}')


def as_other(cluster, command):
    return cluster.try_run(f'cd /home/other && sudo -u other {command}')


def comments(cluster, job):
    """Return {job as the accounting shows it: its AdminComment}, of a job or of an array's."""
    rows = cluster.run(f'sacct --allocations --noheader --parsable2 --format=JobID,AdminComment --jobs={job}')
    return dict(row.split('|', 1) for row in rows.splitlines())


def test_nobody_names_an_account_of_others(cluster, accounting, node):
    done = as_other(cluster, 'srun --nodelist=c1 --account=physics --msr-profile=perf echo reached')
    assert done.returncode != 0
    assert 'Invalid account or account/partition combination specified' in done.stdout
    assert 'reached' not in done.stdout


def test_a_profile_for_an_account(cluster, accounting, node):
    """The account is the one that Slurm gives a job that names none, too."""
    assert cluster.srun('echo reached', '--msr-profile=perf').stdout == 'reached\n'
    done = as_other(cluster, 'srun --nodelist=c1 --msr-profile=perf echo reached')
    assert done.returncode != 0
    assert "msr-safe: the profile 'perf' is not for user other, account biology, partition main." in done.stdout
    assert 'This job may have: monitor.' in done.stdout
    assert 'reached' not in done.stdout
    wait_until(cluster.idle)


def test_the_role_takes_this_configuration_and_no_less(cluster, accounting, node, role):
    wanted = {'slurm_msr_trust_accounts': False, 'slurm_msr_admin_comment': 'accounting'}
    text, settings = node.read(CONFIGURATION), node.read(SETTINGS)
    try:
        code, said = role(**wanted)
        assert code == 0, said
        assert 'admin_comment = accounting\n' in node.read(SETTINGS)
        node.write(CONFIGURATION, text.replace(ENFORCED, ''))
        code, said = role(**wanted)
        assert code != 0
        assert 'The profiles perf are for accounts, but slurm.conf has' in ' '.join(said.split())
    finally:
        node.write(CONFIGURATION, text)
        node.write(SETTINGS, settings)


def test_the_record_says_what_came_back(cluster, commenting, node, baseline):
    """Of both nodes of a job, whose epilogs come one after the other here: who writes at once may lose a text."""
    for host in cluster.nodes.values():
        host.write('/home/user/job', JOB, mode='755')
    second = cluster.nodes['c2']
    before = second.turbo()
    script = '#!/bin/sh\nsrun /home/user/job\nuntil [ -e /tmp/go ]; do sleep 0.2; done\n'
    options = '--parsable --nodes=2 --nodelist=c1,c2 --output=/home/user/out'
    job = int(cluster.as_user(f'sbatch {options}', script).stdout)
    wait_until(lambda: node.turbo() != baseline and second.turbo() != before)
    wait_until(lambda: node.read('/home/user/out').count('turbo is changed') == 2)
    second.run(
        'systemd-run --quiet --unit=holding flock /run/msr-safe/jobs/lock sleep infinity; '
        'until ! flock --nonblock /run/msr-safe/jobs/lock true; do sleep 0.1; done'
    )
    try:
        node.run('touch /tmp/go')
        wait_until(lambda: RESTORED.format('c1') in comments(cluster, job)[str(job)])
    finally:
        second.run('systemctl stop holding')
    cluster.wait_end(job)
    wait_until(lambda: cluster.idle('c1') and cluster.idle('c2'))
    first_text, _separator, second_text = comments(cluster, job)[str(job)].partition('; ')
    assert first_text.startswith(RESTORED.format('c1')) and first_text.endswith(' on cpu 0-3')
    assert second_text.startswith(RESTORED.format('c2')) and second_text.endswith(' on cpu 0-3')
    assert (node.turbo(), second.turbo()) == (baseline, before)


def test_each_task_of_an_array_has_a_record_of_its_own(cluster, commenting, node, baseline):
    """The last one has the number of the array, by which sacctmgr would change all."""
    job = cluster.submit('', '--array=0-2')
    wait_until(lambda: len([said for said in comments(cluster, job).values() if said]) == 3)
    wait_until(cluster.idle)
    said = comments(cluster, job)
    assert sorted(said) == [f'{job}_{task}' for task in range(3)]
    for text in said.values():
        assert text.startswith(RESTORED.format('c1')) and text.count('restored') == 1, said


def test_a_job_that_changes_nothing_has_no_comment(cluster, commenting, node):
    job = int(cluster.as_user('sbatch --parsable --nodelist=c1 --output=/dev/null --wrap=true').stdout)
    cluster.wait_end(job)
    wait_until(cluster.idle)
    assert comments(cluster, job) == {str(job): ''}


@pytest.fixture(params=['slurmdbd is away', 'there is none'])
def away(request, cluster, commenting, node):
    """The accounting does not answer this node."""
    if request.param == 'slurmdbd is away':
        cluster.run('systemctl stop slurmdbd')
        yield
        cluster.run('systemctl start slurmdbd')
        wait_until(lambda: cluster.try_run('sacctmgr --noheader show cluster').returncode == 0)
    else:
        text = node.read(CONFIGURATION)
        node.write(CONFIGURATION, text.replace(STORAGE, '').replace(ENFORCED, ''))
        yield
        node.write(CONFIGURATION, text)


def test_registers_come_back_without_the_accounting(cluster, away, node, baseline):
    job = cluster.submit('')
    cluster.wait_end(job)
    wait_until(cluster.idle)
    assert node.turbo() == baseline
    assert 'sacct' in node.run(f'grep {shlex.quote(f"job {job}: its AdminComment does not say so")} {LOG}')
    node.run('msr-job check')
