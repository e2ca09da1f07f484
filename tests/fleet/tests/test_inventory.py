# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible and ssh are told about the nodes."""

import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from fleet.inventory import render_inventory, render_ssh_config
from fleet.spec import NodeSpec

FLEET = Path('/my fleet')
TOO_DEEP = Path('/' + 'x' * 70)


def node(name, port, **spec):
    return SimpleNamespace(
        name=name, port=port, spec=NodeSpec(name, 'x', **spec), image=SimpleNamespace(key=Path('/my cache/key'))
    )


NODES = [node('skylake', 2201, groups=['compute'], vars={'partition': 'a'}), node('milan', 2202)]


@pytest.fixture
def ssh_takes(tmp_path):
    """What ssh makes of the arguments that Ansible gives it for skylake, or of the configuration, as lines."""

    def take(user, directory, ansible):
        (tmp_path / 'ssh_config').write_text(render_ssh_config(NODES, directory))
        variables = yaml.safe_load(render_inventory(NODES, directory))['all']['hosts']['skylake']
        if ansible:
            options = ['-F', 'none', *shlex.split(variables['ansible_ssh_common_args'])]
            options += ['-o', f'Port={variables["ansible_port"]}', variables['ansible_host']]
        else:
            options = ['-F', tmp_path / 'ssh_config', 'skylake']
        command = ['ssh', '-G', '-o', f'User={user}', *options]
        return subprocess.check_output(command, text=True).splitlines()

    return take


def test_inventory():
    inventory = yaml.safe_load(render_inventory(NODES, FLEET))['all']
    assert inventory['hosts']['skylake']['ansible_port'] == 2201
    assert inventory['hosts']['skylake']['partition'] == 'a'
    assert inventory['hosts']['milan']['ansible_ssh_private_key_file'] == '/my cache/key'
    assert inventory['children'] == {'compute': {'hosts': {'skylake': {}}}}


def test_ssh_config():
    skylake, milan = render_ssh_config(NODES, FLEET).split('Host ')[1:]
    assert skylake.startswith('skylake\n  Port 2201\n  IdentityFile "/my cache/key"\n  User root\n')
    assert '  Port 2202\n' in milan


@pytest.mark.parametrize('ansible', [True, False])
@pytest.mark.parametrize('user', ['root', 'user'])
def test_ansible_and_ssh_share_the_logins_of_a_user(ssh_takes, user, ansible):
    """Of one user: nobody is let in as root because root was there before."""
    taken = ssh_takes(user, FLEET, ansible)
    assert f'controlpath /my fleet/{user}-2201.ssh' in taken
    assert 'controlpersist 600' in taken
    assert 'compression no' in taken


@pytest.mark.parametrize('ansible', [True, False])
def test_no_socket_where_its_path_would_be_too_long(ssh_takes, ansible):
    assert not [line for line in ssh_takes('root', TOO_DEEP, ansible) if line.startswith('controlpath ')]
