# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that starts as a machine with UEFI does: firmware, boot loaders, kernel, each of which judges the next."""

import shlex
import shutil
from pathlib import Path

from fleet.errors import FleetError

FILES = ('code.fd', 'variables.fd', 'shim.efi', 'grub.efi')
# What the node keeps beside them: its own variables, and its EFI system partition, a directory that QEMU shows as one
VARIABLES, PARTITION = 'nvram.fd', 'esp'

# With a firmware of Secure Boot, its variables are for the firmware alone: what it runs in system management mode
MACHINE = 'q35,smm=on'
ARGUMENTS = (
    *('-global', 'driver=cfi.pflash01,property=secure,value=on'),
    *('-drive', 'if=pflash,unit=0,format=raw,readonly=on,file=code.fd'),
    *('-drive', f'if=pflash,unit=1,format=raw,file={VARIABLES}'),
    *('-drive', f'if=none,id=esp,format=raw,readonly=on,file=fat:{PARTITION}'),
    # The highest slot: /dev/vda is the node's own disk
    *('-device', 'virtio-blk-pci,drive=esp,bootindex=0,addr=0x1d'),
)


def firmware_files(directory):
    """What a node of a firmware starts from, as {file name: content}; nothing where the directory is ''.

    directory: `code.fd` and `variables.fd`, an OVMF that knows system management mode and its variables, keys and the
    choice of Secure Boot among them; `shim.efi` and `grub.efi`, the boot loaders, signed. Raises FleetError.
    """
    if not directory:
        return {}
    try:
        return {name: (Path(directory) / name).read_bytes() for name in FILES}
    except OSError as error:
        raise FleetError(
            f'there is no firmware {error.filename}: {error.strerror}. '
            f'The key `firmware` of a node names a directory with {", ".join(FILES)}.'
        ) from error


def install_boot_loader(directory, kernel_arguments):
    """Make, of the boot files in a node's directory, what its firmware reads and writes.

    kernel_arguments: str, as on the kernel's command line.
    """
    shutil.copyfile(directory / 'variables.fd', directory / VARIABLES)
    partition = directory / PARTITION
    removable = partition / 'EFI/BOOT'  # where a firmware looks that was told of no other place
    removable.mkdir(parents=True)
    for name, path in {
        'shim.efi': removable / 'BOOTX64.EFI',
        'grub.efi': removable / 'grubx64.efi',
        'vmlinuz': partition / 'vmlinuz',
        'initrd.img': partition / 'initrd.img',
    }.items():
        path.hardlink_to(directory / name)
    words = ' '.join(map(shlex.quote, kernel_arguments.split()))
    settings = partition / 'EFI/debian/grub.cfg'  # the place that is built into Debian's signed GRUB
    settings.parent.mkdir()
    settings.write_text(f'linux /vmlinuz {words}\ninitrd /initrd.img\nboot\n')


def remove_boot_loader(directory):
    """Remove what install_boot_loader() made, and the files it was made of."""
    for name in (*FILES, VARIABLES):
        (directory / name).unlink(missing_ok=True)
    shutil.rmtree(directory / PARTITION, ignore_errors=True)
