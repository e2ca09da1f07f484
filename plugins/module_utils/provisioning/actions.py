# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The actions that changes are made of: what each does to a machine, and what it needs from the controller."""

import collections
import fcntl
import io
import os
import re
import shutil
import tempfile

from ..approved_lists.approved_list import read_list
from ..approved_lists.counters import activate_for_users
from ..errors import MsrSafeError
from ..hardware import kernel_module
from ..hardware.cpu import online_cpus
from ..hardware.module_file import read_module_file
from ..hardware.watchdog import set_watchdog
from ..layout import COMMANDS, CREATED_GROUP, PACKAGE
from ..policy.application import make_policy_hold
from .observation import commands_files, missing_packages, observe_build
from .tree import read_tree, unpack_tree

# What travels to the node with an action
MODULE_SOURCE, BUILT_MODULE, LIBRARY = 'module source', 'built module', 'library'

Action = collections.namedtuple('Action', 'name carry_out payload unloads')
Action.__doc__ = """Something that can be done to a machine.

carry_out(machine, change, payload): does it; payload is bytes, or None. It may return notes, texts.
payload: what of the controller's it needs, one of the above, or None.
unloads: whether it takes the kernel module out, which nobody may be using then.
"""

# {name: Action}
ACTIONS = {}


def action(payload=None, unloads=False):
    """Make a function ``(machine, change, payload)`` the Action of its name."""

    def register(function):
        ACTIONS[function.__name__] = Action(function.__name__, function, payload, unloads)
        return ACTIONS[function.__name__]

    return register


@action()
def write_file(machine, change, _payload):
    machine.write(change['path'], change['content'].encode('utf-8'))


@action(payload=MODULE_SOURCE)
def build_module(machine, change, payload):
    """Build the module in a scratch copy of its source, and keep the result for the install stage.

    Several nodes may ask one builder for the same module: the first builds, the others wait and find it.
    """
    directory = machine.path(os.path.dirname(change['path']))
    os.makedirs(directory, exist_ok=True)
    with open(directory + '/lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = read_module_file(machine, change['path'])
        if built is None or built.get('source_digest') != change['source_digest']:
            compile_module(machine, change, payload, directory)


def compile_module(machine, change, payload, directory):
    check_headers(machine, change['kernel_release'])
    scratch = tempfile.mkdtemp(prefix='build.', dir=directory)
    try:
        unpack_tree(io.BytesIO(payload), scratch + '/source')
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


@action(payload=BUILT_MODULE)
def deliver_module(machine, change, payload):
    """Keep the module that a builder built, as if it had been built here."""
    machine.write(change['path'], payload)


def first_error(output):
    """Return the line of a build's output that says what is wrong."""
    lines = output.strip().splitlines() or ['no output']
    errors = [line for line in lines if re.search(r'\b(error|not found|No such file)\b', line, re.IGNORECASE)]
    return (errors or lines[-1:])[0].strip()


@action()
def install_module(machine, change, _payload):
    built = machine.read(change['built'])
    if built is None:
        raise MsrSafeError(
            'There is no module at %s to install.' % change['built'], 'Apply the role again: it builds one.'
        )
    machine.write(change['path'], built)
    machine.command('depmod', change['kernel_release'])


@action()
def uninstall_module(machine, change, _payload):
    machine.remove(change['path'])
    machine.command('depmod', change['kernel_release'])


@action(unloads=True)
def load_module(machine, _change, _payload):
    if kernel_module.observe_loaded_module(machine):
        kernel_module.unload_module(machine)
    kernel_module.load_module(machine)
    machine.command('udevadm', 'settle')


@action(unloads=True)
def unload_module(machine, _change, _payload):
    if kernel_module.observe_loaded_module(machine):
        kernel_module.unload_module(machine)


@action()
def add_group(machine, change, _payload):
    machine.command('groupadd', '--system', change['group'])
    machine.write(CREATED_GROUP, (change['group'] + '\n').encode('utf-8'))


@action()
def remove_group(machine, change, _payload):
    machine.command('groupdel', change['group'])


@action()
def apply_udev_rules(machine, _change, _payload):
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


@action(payload=LIBRARY)
def install_commands(machine, _change, payload):
    unpack_tree(io.BytesIO(payload), machine.path(PACKAGE))
    # Saves the commands half of their start; they also run without
    machine.run(['/usr/bin/python3', '-I', '-m', 'compileall', '-q', PACKAGE])
    for path, content in sorted(commands_files(read_tree(machine.path(PACKAGE))).items()):
        machine.write(path, content, mode=0o755 if path in COMMANDS else 0o644)


@action()
def activate_list(machine, change, _payload):
    return activate_for_users(machine, read_list(machine, change['path']))


@action()
def apply_policy(machine, change, _payload):
    policy = change['policy']
    return make_policy_hold(machine, policy['statements'], policy['definitions'])


@action()
def set_nmi_watchdog(machine, change, _payload):
    set_watchdog(machine, change['enabled'])


@action()
def enable_service(machine, change, _payload):
    machine.command('systemctl', 'daemon-reload')
    machine.command('systemctl', 'enable', 'msr-safe.service')
    if change['start']:
        machine.command('systemctl', 'restart', 'msr-safe.service')


@action()
def disable_service(machine, _change, _payload):
    machine.command('systemctl', 'disable', '--now', 'msr-safe.service')


@action()
def remove_path(machine, change, _payload):
    path = machine.path(change['path'])
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        machine.remove(change['path'])
    if change['path'].startswith('/etc/systemd/'):
        machine.command('systemctl', 'daemon-reload')
    if change['path'].startswith('/etc/udev/'):
        machine.command('udevadm', 'control', '--reload')
