# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what the packages hold: the files that the role would write, made by the same functions of the library.

usage: PYTHONPATH=build/collections trees.py DIRECTORY

Below DIRECTORY, hpc-msr-safe and hpc-msr-safe-dkms are then root file systems. Paths and contents are those of the
role, but for two things: what it writes into /etc is where packages have such files, so that the role's, or an
administrator's, goes before it; and the line that says who wrote a file.
"""

import pathlib
import sys

from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import COMMANDS, NOTICE, PACKAGE
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.collection import COLLECTION
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.dkms import CONFIGURATION, source_directory
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.files import (
    VENDOR_UDEV,
    VENDOR_UNIT,
    udev_text,
    unit_text,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.observation import commands_files
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.own_packages import SOURCE, TOOLS, mark_path
from ansible_collections.hpc.msr_safe.plugins.module_utils.version import VERSION
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.wanted import ARGUMENT_SPEC

WRITTEN = 'Written by Ansible (hpc.msr_safe).'
LISTS = '/usr/share/msr-safe/approved_lists'
SYSUSERS = '/usr/lib/sysusers.d/hpc-msr-safe.conf'


def main(directory):
    for package, files in ((TOOLS, tools()), (SOURCE, source())):
        files[mark_path(package)] = '%s\n' % VERSION
        for path, content in sorted(files.items()):
            write(directory / package / path.lstrip('/'), content, 0o755 if path in COMMANDS else 0o644)


def tools():
    """Return what the package with commands, unit and rules holds: {path: text or bytes}."""
    group = ARGUMENT_SPEC['group']['default']
    modes = {device: option['default'] for device, option in ARGUMENT_SPEC['modes']['options'].items()}
    library = COLLECTION.library()
    files = {'%s/%s' % (PACKAGE, name): content for name, content in library.items()}
    files.update(
        (path, of_package(content.decode(), TOOLS) if path in COMMANDS else content)
        for path, content in commands_files(library).items()
    )
    files[VENDOR_UNIT] = of_package(unit_text(), TOOLS)
    files[VENDOR_UDEV] = of_package(udev_text(group, modes), TOOLS)
    files[SYSUSERS] = '# Who may use the devices (hpc.msr_safe)\ng %s - -\n' % group
    lists = pathlib.Path(COLLECTION.directory('approved_lists'))
    files.update(('%s/%s' % (LISTS, path.relative_to(lists)), path.read_bytes()) for path in lists.rglob('al_*'))
    return files


def source():
    """Return what the package with the module's source holds."""
    directory = source_directory(VERSION)
    files = {'%s/%s' % (directory, name): content for name, content in COLLECTION.dkms_source().items()}
    configuration = '%s/%s' % (directory, CONFIGURATION)
    files[configuration] = of_package(files[configuration].decode(), SOURCE)
    return files


def of_package(text, package):
    """Return a text of the role's with a line that says whose it is now."""
    notice = NOTICE if NOTICE in text else WRITTEN
    if text.count(notice) != 1:
        sys.exit('Who writes this is said in another way now: %s' % text[:200])
    return text.replace(notice, 'Part of the package %s (hpc.msr_safe).' % package)


def write(path, content, mode):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)


if __name__ == '__main__':
    main(pathlib.Path(sys.argv[1]))
