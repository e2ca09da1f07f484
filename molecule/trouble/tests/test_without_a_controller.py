# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-pull: the node is its own controller."""

import os
import pathlib
import shutil
import subprocess

import pytest

NODE = 'one'
COLLECTION = pathlib.Path(__file__).parents[3]
# What is needed of the controller's own ansible-core, and of what that needs
PACKAGES = ('ansible', 'jinja2', 'markupsafe', 'yaml', '_yaml', 'packaging', 'resolvelib')

PLAYBOOK = '- ansible.builtin.import_playbook: hpc.msr_safe.site\n'
# As docs/automation.md has it: modules that others built, on a file system that all nodes see
VARIABLES = 'msr_safe_builder: localhost\nmsr_safe_artifacts: /shared/artifacts\n'
# As pip would make them: ansible-pull calls the others beside it
PROGRAMS = {'ansible': 'adhoc', 'ansible-playbook': 'playbook', 'ansible-pull': 'pull'}
PROGRAM = '#!/usr/bin/python3\nfrom ansible.cli.{0} import main\nmain()\n'
PULL = (
    'cd /root && PYTHONPATH=/opt/ansible ANSIBLE_NOCOLOR=1 ANSIBLE_CALLBACKS_ENABLED=hpc.msr_safe.summary '
    '/opt/ansible/bin/ansible-pull --url file:///root/site.git --checkout main --inventory localhost, pull.yml 2>&1'
)


@pytest.fixture(scope='module')
def puller(request, inventory, ssh, tmp_path_factory):
    """A node with git, ansible-core, the collection, and the site's repository."""
    directory = tmp_path_factory.mktemp('pull')
    subprocess.run(
        ['ansible-playbook', 'hpc.msr_safe.remove', '-i', inventory, '-l', NODE], check=True, stdin=subprocess.DEVNULL
    )
    subprocess.run([COLLECTION / 'tests/tools/collection-copy', directory / 'hpc/msr_safe'], check=True, cwd=COLLECTION)
    interpreter = pathlib.Path(shutil.which('ansible')).read_text().splitlines()[0][2:]
    found = subprocess.check_output([interpreter, '-c', 'import ansible; print(ansible.__file__)'], text=True)
    places = pathlib.Path(found.strip()).parents[1]
    present = [name for name in PACKAGES if (places / name).exists()]
    (directory / 'bin').mkdir()
    for name, module in PROGRAMS.items():
        (directory / 'bin' / name).write_text(PROGRAM.format(module))
        (directory / 'bin' / name).chmod(0o755)
    shutil.copytree(pathlib.Path(os.environ['FLEET_STATE']) / 'artifacts', directory / 'artifacts')
    archive = directory / 'all.tar.gz'
    with archive.open('wb') as stream:
        subprocess.run(
            ['tar', '-cz', '-C', places, *present, '-C', directory, 'hpc', 'bin', 'artifacts'],
            check=True,
            stdout=stream,
        )
    config = request.config.getoption('--ssh-config')
    with archive.open('rb') as stream:
        subprocess.run(
            [
                *('ssh', '-F', config, NODE),
                'mkdir -p /shared /opt/ansible /root/.ansible/collections/ansible_collections && cd /opt/ansible '
                '&& tar -xz && mv hpc /root/.ansible/collections/ansible_collections/ && mv artifacts /shared/',
            ],
            check=True,
            stdin=stream,
        )
    ssh(NODE, 'command -v git || { apt-get --quiet update && apt-get --quiet --yes install git; }')
    ssh(
        NODE,
        'git init --quiet --initial-branch=main /root/site && cd /root/site '
        f"&& cat >pull.yml <<'EOF'\n{PLAYBOOK}EOF\n"
        f"mkdir group_vars && cat >group_vars/all.yml <<'EOF'\n{VARIABLES}EOF\n"
        'git add . && git -c user.name=site -c user.email=site@localhost commit --quiet -m site '
        '&& git clone --quiet --bare /root/site /root/site.git',
    )
    yield lambda: ssh(NODE, PULL)
    ssh(NODE, 'rm -rf /shared /opt/ansible /root/.ansible /root/site /root/site.git')


def test_a_node_pulls_everything_and_then_nothing(puller, ssh):
    said = puller()
    assert '1 changed      localhost' in said
    assert 'build: ' not in said
    assert ssh(NODE, 'systemctl is-active msr-safe.service').strip() == 'active'
    assert 'registers approved' in ssh(NODE, 'msr-safe load')
    assert '1 as wanted    localhost' in puller()
