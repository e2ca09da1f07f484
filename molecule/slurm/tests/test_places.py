# SPDX-License-Identifier: GPL-3.0-or-later
"""Slurm where sites have it: below /opt, and without a configuration of the node's own."""

import pytest
from cluster import wait_until

pytestmark = pytest.mark.slow

SETTINGS = '/etc/msr-safe/jobs.conf'
COMMANDS = 'sacct sacctmgr salloc sbatch scancel scontrol sinfo squeue srun'
DROP_IN = '/etc/systemd/system/slurmd.service.d/opt.conf'
UNIT = """\
[Unit]
ConditionPathExists=
[Service]
ExecStart=
ExecStart=/opt/slurm/23/sbin/slurmd -D --conf-server=10.7.0.1
"""
MOVE = f"""set -e
systemctl stop slurmd
mkdir -p /opt/slurm/23/bin /opt/slurm/23/sbin {DROP_IN.rpartition('/')[0]}
mv /usr/sbin/slurmd /opt/slurm/23/sbin/
for name in {COMMANDS}; do [ ! -e /usr/bin/$name ] || mv /usr/bin/$name /opt/slurm/23/bin/; done
mv /etc/slurm /etc/slurm.before
"""
BACK = f"""
systemctl stop slurmd
mv /opt/slurm/23/sbin/slurmd /usr/sbin/
mv /opt/slurm/23/bin/* /usr/bin/
rm -rf {DROP_IN} /opt/slurm /etc/slurm /run/slurm/conf
mv /etc/slurm.before /etc/slurm
systemctl daemon-reload
systemctl start slurmd
"""


@pytest.fixture
def moved(cluster, slurm_conf):
    """A node with Slurm below /opt, and its configuration from slurmctld."""
    slurm_conf(lambda text: text + 'SlurmctldParameters=enable_configless\n')
    cluster.run('systemctl restart slurmctld')
    node = cluster.nodes['c2']
    settings = node.read(SETTINGS)
    node.run(MOVE)
    node.write(DROP_IN, UNIT)
    node.run('systemctl daemon-reload; systemctl start slurmd')
    wait_until(lambda: cluster.idle('c2'))
    yield node
    cluster.run('scancel --user=user')
    node.run(BACK)
    node.write(SETTINGS, settings)  # They name the place of Slurm's commands
    wait_until(lambda: cluster.idle('c2'))


def test_below_opt_and_configless(cluster, moved, role):
    assert 'ClusterName=test' in moved.read('/run/slurm/conf/slurm.conf')
    code, said = role(node='c2')
    assert code == 0, said
    code, said = role(node='c2')
    assert code == 0 and ' changed=0 ' in said, said
    before = moved.turbo()
    job = cluster.submit('', node='c2')
    cluster.wait_end(job)
    assert cluster.state(job) == 'COMPLETED'
    assert moved.read('/home/user/out') == 'turbo is changed\n'
    assert cluster.next_job_reads('c2') == before
    moved.run('msr-job check')
