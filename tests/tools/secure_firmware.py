# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a UEFI with Secure Boot for virtual nodes that trusts a certificate of ours, and one more that nobody trusts.

secure_firmware.py VIRT_FW_VARS DIRECTORY

What is in DIRECTORY is made anew: `firmware`, as tests/fleet takes it, with Microsoft's keys in its variables, as
machines are sold, and with `site.pem` as a machine owner's key, as `mokutil --import` and MokManager put it there;
`site.key` and `site.pem`; `other.key` and `other.pem`, which are not enrolled. OVMF, shim and GRUB are those of the
nodes' Debian.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'fleet'))

from fleet import mirror
from fleet.bootstrap import bootstrap_as_ours

PACKAGES = 'ovmf,shim-signed,grub-efi-amd64-signed'
FILES = {
    'code.fd': 'usr/share/OVMF/OVMF_CODE_4M.secboot.fd',
    'variables.fd': 'usr/share/OVMF/OVMF_VARS_4M.ms.fd',
    'shim.efi': 'usr/lib/shim/shimx64.efi.signed',
    'grub.efi': 'usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed',
}
# Who put the certificate there: any number, and the one that shim itself has
OWNER = '605dab50-e046-4300-abb6-3dd810dd8b23'
# What a certificate is for: code, and of that kernel modules (docs/fleets.md)
USAGE = 'extendedKeyUsage=codeSigning,1.3.6.1.4.1.2312.16.1.2'


def main():
    program, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for name in ('site', 'other'):
        make_key(directory, name)
    firmware = directory / 'firmware'
    firmware.mkdir()
    unpack(firmware)
    enroll(program, directory / 'site.pem', firmware / 'variables.fd')


def make_key(directory, name):
    """Make NAME.key and NAME.pem, by the command that docs/fleets.md gives."""
    command = ['openssl', 'req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-addext', USAGE]
    paths = ['-keyout', directory / f'{name}.key', '-out', directory / f'{name}.pem']
    subprocess.run([*command, '-subj', f'/CN=hpc.msr_safe test {name}', *paths], check=True, capture_output=True)


def unpack(firmware):
    release = mirror.node_release()
    options = [f'--aptopt={option}' for option in mirror.options()]
    with tempfile.TemporaryDirectory(prefix='hpc.msr_safe-') as scratch:
        tree, log = pathlib.Path(scratch) / 'tree', firmware.parent / 'firmware.log'
        options = ('--variant=extract', f'--include={PACKAGES}', *options)
        bootstrap_as_ours('firmware', options, release, tree, mirror.sources(release), log)
        for name, path in FILES.items():
            shutil.copyfile(tree / path, firmware / name)


def enroll(program, certificate, variables):
    """Put a certificate into a file of variables, and turn Secure Boot on there."""
    change = ['--inplace', variables, '--add-mok', OWNER, certificate, '--secure-boot']
    subprocess.run([program, *change], check=True, capture_output=True)


if __name__ == '__main__':
    main()
