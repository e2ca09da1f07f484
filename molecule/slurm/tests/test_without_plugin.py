# SPDX-License-Identifier: GPL-3.0-or-later
"""The other way, without a compiled part; then everything off the node."""

import pytest
from cluster import wait_until

pytestmark = pytest.mark.slow


def test_without_prolog_in_slurm_conf_it_says_what_to_write(role):
    code, said = role(slurm_msr_method='scripts')
    assert code != 0
    assert 'Write Prolog=/etc/slurm/prolog.d/*' in said


def test_without_alloc_it_says_what_to_write(role, slurm_conf):
    slurm_conf(lambda text: text.replace('PrologFlags=Alloc\n', ''))
    code, said = role()
    assert code != 0
    assert 'Add PrologFlags=Alloc' in said


def test_scripts(cluster, node, baseline, role, slurm_conf):
    for each in cluster.nodes.values():  # slurmd drains a node that lacks one
        for directory in ('prolog.d', 'epilog.d'):
            each.run(f'mkdir -p /etc/slurm/{directory}')
            each.write(f'/etc/slurm/{directory}/10-site', '#!/bin/sh\nexit 0\n', '755')
    slurm_conf(lambda text: text + 'Prolog=/etc/slurm/prolog.d/*\nEpilog=/etc/slurm/epilog.d/*\n')
    code, said = role(slurm_msr_method='scripts')
    assert code == 0, said
    assert 'msr_safe.so' not in node.read('/etc/slurm/plugstack.conf')
    # The submit host has the options still; a script is told by a comment
    job = cluster.submit('')
    cluster.wait_end(job)
    assert node.read('/home/user/out') == 'turbo is changed\n'
    assert cluster.next_job_reads() == baseline
    assert f'job {job}: 0x000001A0 IA32_MISC_ENABLE' in node.run('journalctl --boot')
    refused = cluster.submit('', '--comment=msr-profile=perf')
    wait_until(lambda: cluster.state(refused) == 'CANCELLED')
    assert "the profile 'perf' is not for user user" in cluster.run(f'scontrol show job {refused}')
    # c2 has the plugin still, and says it in the job's output: the job is over on one node, and refused on the other
    refused = cluster.submit('', '--nodes=2', '--comment=msr-profile=perf', node='c1,c2')
    wait_until(lambda: cluster.state(refused) not in ('PENDING', 'RUNNING', 'COMPLETING', 'CONFIGURING'))
    wait_until(lambda: cluster.idle('c1') and cluster.idle('c2'))


def test_back_to_the_plugin_and_away(cluster, node, playbook, role):
    code, said = role()
    assert code == 0, said
    assert node.read('/etc/slurm/plugstack.conf').splitlines() == [
        "# the site's",
        'include /etc/slurm/plugstack.conf.d/*',
        'required msr_safe.so',
    ]
    code, said = playbook('remove')
    assert code != 0
    assert 'ansible-playbook hpc.msr_safe.slurm -e slurm_msr_state=absent' in said
    code, said = role(slurm_msr_state='absent')
    assert code == 0, said
    assert node.read('/etc/slurm/plugstack.conf') == "# the site's\ninclude /etc/slurm/plugstack.conf.d/*\n"
    assert node.run('find /etc /usr /run /var/lib -name "*msr-job*" -o -name "*msr_safe.so" -o -name "jobs.conf"') == ''
    assert cluster.srun('true').returncode == 0
    code, said = playbook('remove')
    assert code == 0, said
    # systemd knows of a service that ran until the node boots
    traces = node.run('find /etc /usr /run /var/lib /lib/modules -name "*msr-safe*" -o -name "*msr_safe*"').splitlines()
    assert [path for path in traces if not path.startswith('/run/systemd/')] == []
