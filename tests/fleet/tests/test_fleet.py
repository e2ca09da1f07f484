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


@pytest.fixture
def prepared(monkeypatch, tmp_path):
    """A fleet whose nodes have an image that a program prepares; `made` are the trees that it was called with."""
    made = []

    def build(directory, packages, change):
        tree = tmp_path / f'tree{len(made)}'
        tree.mkdir()
        change(tree)
        directory.mkdir()
        made.append(tree)
        return module.Image(directory)

    monkeypatch.setattr(module, 'prepared_image', build)
    monkeypatch.setattr(module, 'is_root', lambda: True)
    monkeypatch.setattr(module.Node, 'boots_its_kernel', True)
    fleet = Fleet(tmp_path)
    fleet.made = made
    return fleet


def write_program(path, text):
    path.write_text('#!/bin/sh\n' + text)
    path.chmod(0o755)
    return str(path)


def test_a_program_prepares_the_image_once_for_as_long_as_the_fleet_is_up(prepared, tmp_path):
    program = write_program(tmp_path / 'program', 'echo "$FLEET_STATE" > "$1/done"\n')
    specs = [NodeSpec('skylake', 'x', prepare=program)]
    image = prepared._ready_image(specs)
    (tmp_path / 'image').symlink_to(image.directory)
    assert (prepared.made[0] / 'done').read_text() == f'{tmp_path}\n'
    (tmp_path / 'fleet.yml').write_text(render_spec(specs))
    assert prepared._ready_image(specs) == image
    assert len(prepared.made) == 1
    prepared._forget()
    assert not image.directory.exists()
    prepared._ready_image(specs)
    assert len(prepared.made) == 2


def test_a_program_that_fails_is_named_with_its_log(prepared, tmp_path):
    program = write_program(tmp_path / 'program', 'echo broken; exit 3\n')
    with pytest.raises(module.FleetError, match=f'{program} ended with 3'):
        prepared._ready_image([NodeSpec('skylake', 'x', prepare=program)])
    assert (tmp_path / 'prepare.log').read_text() == 'broken\n'


def test_only_root_changes_a_system_in_a_directory(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'is_root', lambda: False)
    with pytest.raises(module.FleetError, match='Run this as root'):
        prepared._ready_image([NodeSpec('skylake', 'x', prepare='/bin/true')])
