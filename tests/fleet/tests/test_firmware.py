# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that starts by a firmware, without switching it on."""

import pytest
from fleet import fleet as module
from fleet.errors import FleetError
from fleet.firmware import FILES, firmware_files
from fleet.fleet import Fleet
from fleet.image import Image
from fleet.node import FRESH, Node
from fleet.spec import NodeSpec, read_spec, render_spec


@pytest.fixture
def image(tmp_path):
    directory = tmp_path / 'built'
    directory.mkdir()
    for name in ('vmlinuz', 'initrd.img', 'disk.raw'):
        (directory / name).write_text(f'<{name}>')
    return Image(directory)


@pytest.fixture
def firmware(tmp_path):
    directory = tmp_path / 'firmware'
    directory.mkdir()
    for name in FILES:
        (directory / name).write_text(f'<{name}>')
    return directory


@pytest.fixture
def node(image, firmware, tmp_path):
    spec = NodeSpec('secure', 'x', firmware=str(firmware), kernel_arguments="a=1 b='$c;d'")
    node = Node(spec, image, tmp_path / 'nodes/secure', qemu=('true',))
    node.create()
    return node


def test_it_is_found_from_the_file_that_names_it(tmp_path):
    (tmp_path / 'nodes.yml').write_text('nodes: [{name: a, cpu: x, firmware: ../firmware}]')
    assert read_spec(tmp_path / 'nodes.yml')[0].firmware == f'{tmp_path}/../firmware'


def test_a_directory_without_one_is_refused(tmp_path):
    with pytest.raises(FleetError, match=r'no firmware .*/absent/code.fd: No such file.*key `firmware`.*shim.efi'):
        firmware_files(tmp_path / 'absent')


def test_its_partition_has_what_each_step_of_the_boot_looks_for(node):
    partition = node.directory / 'esp'
    found = {str(path.relative_to(partition)): path.read_text() for path in partition.rglob('*') if path.is_file()}
    settings = found.pop('EFI/debian/grub.cfg')
    assert found == {
        'EFI/BOOT/BOOTX64.EFI': '<shim.efi>',
        'EFI/BOOT/grubx64.efi': '<grub.efi>',
        'vmlinuz': '<vmlinuz>',
        'initrd.img': '<initrd.img>',
    }
    # GRUB's shell takes words as any shell does
    assert ' node=secure ' in settings
    assert """ a=1 'b='"'"'$c;d'"'"''\n""" in settings


def test_the_kernel_is_started_by_nobody_else(node):
    assert '-kernel' not in node._machine()
    assert 'q35,smm=on' in node._machine()


def test_what_it_writes_into_its_variables_is_not_what_it_was_given(node, firmware):
    (node.directory / 'nvram.fd').write_text('<written by the firmware>')
    assert node.boots_its_kernel
    (firmware / 'variables.fd').write_text('<another certificate>')
    assert not node.boots_its_kernel


def test_nothing_is_left_of_a_node_that_was_removed(node):
    node.remove()
    assert list(node.directory.iterdir()) == []


def test_it_boots_beside_nodes_that_resume(image, firmware, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(module, 'ready_qemu', lambda: ['true'])
    monkeypatch.setattr(module, 'wait_until_booted', lambda *args, **options: None)
    monkeypatch.setattr(module.Node, 'start', lambda node, snapshot=None: started.append((node.name, snapshot)))
    monkeypatch.setattr(module.Node, 'booted_before', property(lambda node: not node.spec.firmware))
    monkeypatch.setattr(module.Node, 'create', lambda node: None)
    specs = [NodeSpec('skylake', 'x'), NodeSpec('secure', 'x', firmware=str(firmware))]
    fleet = Fleet(tmp_path)
    fleet._make(specs, image)
    assert (tmp_path / 'fleet.yml').read_text() == render_spec(specs)
    assert sorted(started) == [('secure', None), ('skylake', FRESH)]
