# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible and ssh are told about the nodes."""

from pathlib import Path
from types import SimpleNamespace

import yaml
from fleet.inventory import render_inventory, render_ssh_config
from fleet.spec import NodeSpec


def node(name, port, **spec):
    return SimpleNamespace(
        name=name, port=port, spec=NodeSpec(name, 'x', **spec), image=SimpleNamespace(key=Path('/my cache/key'))
    )


NODES = [node('skylake', 2201, groups=['compute'], vars={'partition': 'a'}), node('milan', 2202)]


def test_inventory():
    inventory = yaml.safe_load(render_inventory(NODES))['all']
    assert inventory['hosts']['skylake']['ansible_port'] == 2201
    assert inventory['hosts']['skylake']['partition'] == 'a'
    assert inventory['hosts']['milan']['ansible_ssh_private_key_file'] == '/my cache/key'
    assert inventory['children'] == {'compute': {'hosts': {'skylake': {}}}}


def test_ssh_config():
    skylake, milan = render_ssh_config(NODES, Path('/my fleet')).split('Host ')[1:]
    assert skylake.startswith('skylake\n  Port 2201\n  IdentityFile "/my cache/key"\n  User root\n')
    assert '  Port 2202\n' in milan
    assert '  ControlPath "/my fleet/%n-%p.ssh"\n' in milan


def test_no_socket_where_its_path_would_be_too_long():
    assert 'ControlPath' not in render_ssh_config(NODES, Path('/' + 'x' * 60))
