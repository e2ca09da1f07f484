# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel that a node boots: the image's, or another one from a directory laid out like the image's."""

from pathlib import Path

from fleet.errors import FleetError


def boot_files(image, directory=None):
    """What a node boots, as {file name: content}: the kernel of the directory, or else of the image.

    directory: it holds `vmlinuz` and, unless all that a node needs is built in, `drivers.cpio`, as pack-drivers of the
    image's recipe makes it. The kernel unpacks it over the image's own initial RAM disk.
    Raises FleetError.
    """
    directory = Path(directory) if directory else image.directory
    try:
        vmlinuz = (directory / 'vmlinuz').read_bytes()
    except OSError as error:
        raise FleetError(
            f'there is no kernel {error.filename}: {error.strerror}. '
            'The key `kernel` of a node names a directory with vmlinuz and, unless all is built in, drivers.cpio.'
        ) from error
    drivers = directory / 'drivers.cpio'
    initrd = image.initrd.read_bytes() + (drivers.read_bytes() if drivers.exists() else b'')
    return {'vmlinuz': vmlinuz, 'initrd.img': initrd}
