# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a fleet, together, without switching one on."""

import subprocess

import pytest
from fleet import fleet as module
from fleet.fleet import Fleet
from fleet.spec import NodeSpec, render_spec


@pytest.fixture
def started(monkeypatch, tmp_path):
    """A fleet of two nodes, of which only `milan` was started, on port 2202."""

    def start(node, snapshot):
        (node.directory / 'port').write_text('2202')

    monkeypatch.setattr(module.Node, 'start', start)
    monkeypatch.setattr(module, 'wait_until_booted', lambda *args, **options: None)
    (tmp_path / 'fleet.yml').write_text(render_spec([NodeSpec('skylake', 'x'), NodeSpec('milan', 'y')]))
    (tmp_path / 'nodes/milan').mkdir(parents=True)
    fleet = Fleet(tmp_path)
    fleet._start(fleet.nodes(['milan']))
    return fleet


def test_ssh_reaches_some_nodes_while_others_never_started(started):
    ssh = ['ssh', '-G', '-F', started.ssh_config, 'milan']
    found = subprocess.run(ssh, check=True, capture_output=True, text=True)
    assert 'port 2202\n' in found.stdout


def test_ansible_is_told_of_started_nodes_only(started):
    assert 'skylake' not in started.inventory.read_text()
