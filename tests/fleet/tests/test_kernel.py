# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel a node boots, and what is taken for the same."""

import pytest
from fleet.errors import FleetError
from fleet.image import Image
from fleet.kernel import boot_files
from fleet.node import Node
from fleet.spec import NodeSpec


@pytest.fixture
def image(tmp_path):
    directory = tmp_path / 'image'
    directory.mkdir()
    for name in ('vmlinuz', 'initrd.img', 'drivers.cpio'):
        (directory / name).write_text(f'<{name} of the image>')
    return Image(directory)


@pytest.fixture
def kernel(tmp_path):
    directory = tmp_path / 'kernel'
    directory.mkdir()
    (directory / 'vmlinuz').write_text('<vmlinuz>')
    (directory / 'drivers.cpio').write_text('<drivers>')
    return directory


def created_node(image, directory, kernel=''):
    (image.disk).touch()
    node = Node(NodeSpec('skylake', 'x', kernel=str(kernel)), image, directory, qemu=('true',))
    node.create()
    return node


def test_the_image_has_a_kernel(image):
    assert boot_files(image) == {
        'vmlinuz': b'<vmlinuz of the image>',
        'initrd.img': b'<initrd.img of the image><drivers.cpio of the image>',
    }


def test_another_kernel_brings_its_own_drivers(image, kernel):
    assert boot_files(image, kernel) == {
        'vmlinuz': b'<vmlinuz>',
        'initrd.img': b'<initrd.img of the image><drivers>',
    }


def test_a_kernel_may_have_all_built_in(image, kernel):
    (kernel / 'drivers.cpio').unlink()
    assert boot_files(image, kernel)['initrd.img'] == b'<initrd.img of the image>'


def test_a_directory_without_a_kernel_is_refused(image, tmp_path):
    with pytest.raises(FleetError, match=r'there is no kernel .*/absent/vmlinuz: No such file.*key `kernel`'):
        boot_files(image, tmp_path / 'absent')


def test_a_first_boot_is_remembered_for_the_kernel_that_booted(image, kernel, tmp_path):
    node = created_node(image, tmp_path / 'node', kernel)
    (image.directory / 'booted').mkdir()
    node._first_boot.touch()
    assert node.booted_before
    assert not created_node(image, tmp_path / 'other').booted_before
    assert created_node(image, tmp_path / 'same', kernel).booted_before
    (kernel / 'drivers.cpio').write_text('<other drivers>')
    assert not created_node(image, tmp_path / 'changed', kernel).booted_before


def test_a_node_whose_kernel_was_built_anew_does_not_boot_it(image, kernel, tmp_path):
    node = created_node(image, tmp_path / 'node', kernel)
    assert node.boots_its_kernel
    (kernel / 'vmlinuz').write_text('<newer>')
    assert not node.boots_its_kernel
