# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A change of a plan: how each action is carried out on a machine."""

import fcntl
import os
import re
import shutil
import tempfile
import zipfile

from ..approved_lists.active import activate_list
from ..approved_lists.approved_list import read_list
from ..errors import MsrSafeError
from ..hardware.cpu import online_cpus
from ..hardware.kernel_module import load_module, observe_loaded_module, unload_module
from ..hardware.module_file import read_module_file
from ..layout import COMMANDS, CREATED_GROUP, PACKAGE
from .observation import commands_files, missing_packages, observe_build
from .tree import read_tree, unpack_tree


def carry_out_change(machine, change, archive=None):
    """Carry out one change of a plan. ``archive``: the file sent along, where it needs one.

    Raises MsrSafeError; what the change was to replace is then still there.
    """
    try:
        ACTIONS[change['action']](machine, change, archive)
    except (OSError, zipfile.BadZipfile) as error:
        raise MsrSafeError('Cannot %s: %s.' % (change['title'], error)) from error


def write_file(machine, change, _archive):
    machine.write(change['path'], change['content'].encode('utf-8'))


def build_module(machine, change, archive):
    """Build the module in a scratch copy of its source, and keep the result for the install stage.

    Several nodes may ask one builder for the same module: the first builds, the others wait and find it.
    """
    directory = machine.path(os.path.dirname(change['path']))
    os.makedirs(directory, exist_ok=True)
    with open(directory + '/lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = read_module_file(machine, change['path'])
        if built is None or built.get('source_digest') != change['source_digest']:
            compile_module(machine, change, archive, directory)


def compile_module(machine, change, archive, directory):
    check_headers(machine, change['kernel_release'])
    scratch = tempfile.mkdtemp(prefix='build.', dir=directory)
    try:
        unpack_tree(archive, scratch + '/source')
        code, output = machine.run(
            [
                'make',
                '-j%d' % len(online_cpus(machine)),
                '-C',
                scratch + '/source',
                'KERNEL_RELEASE=' + change['kernel_release'],
                'VERSION=' + change['version'],
                'SOURCE_DIGEST=' + change['source_digest'],
            ]
        )
        log = os.path.dirname(change['path']) + '/build.log'
        machine.write(log, output.encode('utf-8'))
        if code != 0:
            raise MsrSafeError(
                'The module does not build for kernel %s: %s' % (change['kernel_release'], first_error(output)),
                'The whole output is in %s where it was built.' % log,
            )
        with open(scratch + '/source/msr-safe.ko', 'rb') as stream:
            machine.write(change['path'], stream.read())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_headers(machine, release):
    """Raise MsrSafeError where the headers of a kernel are missing."""
    headers = '/lib/modules/%s/build' % release
    if not machine.exists(headers + '/Makefile'):
        packages = missing_packages(machine, release, observe_build(machine, release)['package_family'])
        raise MsrSafeError(
            'There are no kernel headers for %s to build with: %s is missing.' % (release, headers),
            'Install %s. If the distribution no longer has them, boot a kernel it still serves.'
            % (packages[0] if packages else 'the headers package of this kernel'),
        )


def deliver_module(machine, change, archive):
    """Keep the module that a builder built, as if it had been built here."""
    with open(archive, 'rb') as stream:
        machine.write(change['path'], stream.read())


def first_error(output):
    """Return the line of a build's output that says what is wrong."""
    lines = output.strip().splitlines() or ['no output']
    errors = [line for line in lines if re.search(r'\b(error|not found|No such file)\b', line, re.IGNORECASE)]
    return (errors or lines[-1:])[0].strip()


def install_module(machine, change, _archive):
    built = machine.read(change['built'])
    if built is None:
        raise MsrSafeError(
            'There is no module at %s to install.' % change['built'], 'Apply the role again: it builds one.'
        )
    machine.write(change['path'], built)
    machine.command('depmod', change['kernel_release'])


def uninstall_module(machine, change, _archive):
    machine.remove(change['path'])
    machine.command('depmod', change['kernel_release'])


def load_wanted_module(machine, _change, _archive):
    if observe_loaded_module(machine):
        unload_module(machine)
    load_module(machine)
    machine.command('udevadm', 'settle')


def unload_loaded_module(machine, _change, _archive):
    if observe_loaded_module(machine):
        unload_module(machine)


def add_group(machine, change, _archive):
    machine.command('groupadd', '--system', change['group'])
    machine.write(CREATED_GROUP, (change['group'] + '\n').encode('utf-8'))


def remove_group(machine, change, _archive):
    machine.command('groupdel', change['group'])


def apply_udev_rules(machine, _change, _archive):
    machine.command('udevadm', 'control', '--reload')
    machine.command(
        'udevadm',
        'trigger',
        '--action=change',
        '--settle',
        '--subsystem-match=msr_safe',
        '--subsystem-match=msr_batch',
        '--subsystem-match=msr_approved_list',
        '--subsystem-match=msr_safe_version',
    )


def install_commands(machine, _change, archive):
    unpack_tree(archive, machine.path(PACKAGE))
    # Saves the commands half of their start; they also run without
    machine.run(['/usr/bin/python3', '-I', '-m', 'compileall', '-q', PACKAGE])
    for path, content in sorted(commands_files(read_tree(machine.path(PACKAGE))).items()):
        machine.write(path, content, mode=0o755 if path in COMMANDS else 0o644)


def activate_installed_list(machine, change, _archive):
    activate_list(machine, read_list(machine, change['path']))


def enable_service(machine, change, _archive):
    machine.command('systemctl', 'daemon-reload')
    machine.command('systemctl', 'enable', 'msr-safe.service')
    if change['start']:
        machine.command('systemctl', 'restart', 'msr-safe.service')


def disable_service(machine, _change, _archive):
    machine.command('systemctl', 'disable', '--now', 'msr-safe.service')


def remove_path(machine, change, _archive):
    path = machine.path(change['path'])
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        machine.remove(change['path'])
    if change['path'].startswith('/etc/systemd/'):
        machine.command('systemctl', 'daemon-reload')
    if change['path'].startswith('/etc/udev/'):
        machine.command('udevadm', 'control', '--reload')


ACTIONS = {
    'write_file': write_file,
    'build_module': build_module,
    'deliver_module': deliver_module,
    'install_module': install_module,
    'uninstall_module': uninstall_module,
    'load_module': load_wanted_module,
    'unload_module': unload_loaded_module,
    'add_group': add_group,
    'remove_group': remove_group,
    'apply_udev_rules': apply_udev_rules,
    'install_commands': install_commands,
    'activate_list': activate_installed_list,
    'enable_service': enable_service,
    'disable_service': disable_service,
    'remove_path': remove_path,
}
