# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The actions that changes are made of: what each does to a machine, and what it needs from the controller."""

import collections
import errno
import fcntl
import glob
import io
import os
import re
import shutil
import tempfile

from ..access.lock import locked
from ..approved_lists.active import installed_list_path
from ..approved_lists.approved_list import read_list
from ..approved_lists.counters import activate_for_users
from ..errors import MsrSafeError
from ..hardware import kernel_module
from ..hardware.module_file import examine_module_file, has_vermagic, modinfo
from ..hardware.watchdog import set_watchdog
from ..layout import COMMANDS, PACKAGE, SETTINGS
from ..machine import remove_leftovers
from ..policy.application import make_policy_hold
from . import groups
from .files import APPROVED_LIST, APPROVED_LISTS, UNIT, UNIT_ENABLED
from .observation import commands_files
from .packages import install, observe_build, require_tools
from .permissions import set_permissions
from .sign import sign_module
from .tree import read_tree, unpack_tree

# Ends the name of a file of others that was set aside
ASIDE = '.set-aside'

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


def put(machine, path, content, mode=0o644):
    """Write a file, and take away what a run that was killed left of it."""
    remove_leftovers(machine, path)
    machine.write(path, content, mode=mode)


@action()
def write_file(machine, change, _payload):
    put(machine, change['path'], change['content'].encode('utf-8'), mode=int(change.get('mode', '0644'), 8))


@action()
def write_lists(machine, change, _payload):
    """Write the lists of all CPUs that may boot an image, {name: text}, and take away those that are not wanted."""
    for name, text in sorted(change['files'].items()):
        put(machine, '%s/%s' % (change['path'], name), text.encode('utf-8'))
    for name in change['others']:
        machine.remove('%s/%s' % (change['path'], name))


@action()
def install_packages(machine, change, _payload):
    install(machine, change['manager'], change['packages'])


@action(payload=MODULE_SOURCE)
def build_module(machine, change, payload):
    """Build the module in a scratch copy of its source, and keep the result for the install stage.

    Several nodes may ask one builder for the same module: the first builds, the others wait and find it.
    """
    directory = machine.path(os.path.dirname(change['path']))
    os.makedirs(directory, exist_ok=True)
    with open(directory + '/lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_built(examine_module_file(machine, change['path']), change):
            compile_module(machine, change, payload, directory)


def is_built(module, change):
    """Return whether a module file is what a change is to build.

    What is to be signed is always built: whose signature an old file has, and whether that key is still the right one,
    is not looked at. Who asks has no module for this way to sign.
    """
    return (
        module is not None
        and module.get('source_digest') == change['source_digest']
        and has_vermagic(module, change['kernel_release'], change['vermagic'])
        and not change['sign']
    )


def compile_module(machine, change, payload, directory):
    require_tools(observe_build(machine, change['kernel_release']), change['kernel_release'], installs=False)
    remove_builds(directory)
    scratch = tempfile.mkdtemp(prefix='build.', dir=directory)
    # As the compiler of an image sees it
    source = '%s/%s/source' % (os.path.dirname(change['path']), os.path.basename(scratch))
    try:
        unpack_tree(io.BytesIO(payload), scratch + '/source')
        code, output = machine.run(
            [
                'make',
                '-j%d' % len(os.sched_getaffinity(0)),
                '-C',
                source,
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
        if change['sign']:
            sign_module(machine, scratch + '/source/msr-safe.ko', change['sign'], change['kernel_release'])
        with open(scratch + '/source/msr-safe.ko', 'rb') as stream:
            content = stream.read()
        require_vermagic(content, change)
        machine.write(change['path'], content)
    finally:
        remove_builds(directory)


def remove_builds(directory):
    """Remove scratch copies of the source, also those of builds that were killed. Who builds holds the lock.

    The compilers of one that was killed may go on writing for a while: what they write is removed after the next build.
    """
    for scratch in glob.glob(glob.escape(directory) + '/build.*/'):
        shutil.rmtree(scratch, ignore_errors=True)


def require_vermagic(content, change):
    """Raise MsrSafeError where a module was built for another kernel than it is for, of the same name or not."""
    try:
        module = modinfo(content)
    except ValueError as error:
        raise MsrSafeError('What was built is no kernel module: %s.' % error) from error
    if not has_vermagic(module, change['kernel_release'], change['vermagic']):
        raise MsrSafeError(
            'The module that was built is for the kernel "%s", and that of the node is "%s".'
            % (module.get('vermagic', '').strip(), change['vermagic'] or change['kernel_release']),
            'The headers in /lib/modules/%s/build are not of this kernel: install the package of exactly this one.'
            % change['kernel_release'],
        )


@action(payload=BUILT_MODULE)
def deliver_module(machine, change, payload):
    """Keep the module that a builder built, as if it had been built here."""
    put(machine, change['path'], payload)


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
    put(machine, change['path'], built)
    machine.command('depmod', change['kernel_release'])


@action()
def find_modules(machine, change, _payload):
    machine.command('depmod', change['kernel_release'])


@action()
def set_aside(machine, change, _payload):
    """Rename a file of others so that nobody reads it any more, and tell those who did."""
    aside, number = change['path'] + ASIDE, 1
    while os.path.lexists(machine.path(aside)):
        number += 1
        aside = '%s%s.%d' % (change['path'], ASIDE, number)
    os.rename(machine.path(change['path']), machine.path(aside))
    if '/udev/' in change['path']:
        tell(machine, 'udevadm', 'control', '--reload')
    elif change['path'].startswith('/lib/modules/') or '/depmod.d/' in change['path']:
        for release in change['kernel_releases']:
            machine.command('depmod', release)


@action()
def set_mode(machine, change, _payload):
    set_permissions(machine, change['path'], change['mode'])


@action()
def uninstall_module(machine, change, _payload):
    machine.remove(change['path'])
    machine.command('depmod', change['kernel_release'])


@action(unloads=True)
def load_module(machine, change, _payload):
    if kernel_module.observe_loaded_module(machine):
        kernel_module.unload_module(machine)
    try:
        kernel_module.load_module(machine)
    except kernel_module.UntrustedModule as error:
        if not change['ours']:
            raise
        take_off(machine, change)
        raise MsrSafeError(
            error.problem,
            '%s\nThe module was taken off the node: the next run brings what the builder has by then.' % error.remedy,
        ) from None
    machine.command('udevadm', 'settle')


def take_off(machine, change):
    """Remove the files of a module that a builder signed in vain: where they lie, no other is brought."""
    for path in change['ours']:
        machine.remove(path)
    machine.command('depmod', change['kernel_release'])


@action(unloads=True)
def unload_module(machine, _change, _payload):
    if kernel_module.observe_loaded_module(machine):
        kernel_module.unload_module(machine)


@action()
def add_group(machine, change, _payload):
    groups.add_group(machine, change['group'])


@action()
def remove_group(machine, change, _payload):
    groups.remove_group(machine, change['group'])


UDEV_TRIGGER = (
    'udevadm',
    'trigger',
    '--action=change',
    '--subsystem-match=msr_safe',
    '--subsystem-match=msr_batch',
    '--subsystem-match=msr_approved_list',
    '--subsystem-match=msr_safe_version',
)


@action()
def apply_udev_rules(machine, _change, _payload):
    machine.command('udevadm', 'control', '--reload')
    code, _output = machine.run([*UDEV_TRIGGER, '--settle'])
    if code != 0:  # Before systemd 238, as on Amazon 2, all events can be waited for only
        machine.command(*UDEV_TRIGGER)
        machine.command('udevadm', 'settle')


@action(payload=LIBRARY)
def install_commands(machine, _change, payload):
    unpack_tree(io.BytesIO(payload), machine.path(PACKAGE))
    # Saves the commands half of their start; they also run without
    machine.run(['/usr/bin/python3', '-I', '-m', 'compileall', '-q', PACKAGE])
    for path, content in sorted(commands_files(read_tree(machine.path(PACKAGE))).items()):
        put(machine, path, content, mode=0o755 if path in COMMANDS else 0o644)


@action()
def activate_list(machine, _change, _payload):
    entries = read_list(machine, installed_list_path(machine))
    with locked(machine, 'msr_safe_apply'):
        notes = activate_for_users(machine, entries)
    # A service that failed, for want of this list, is well again; one that is active stays so.
    if os.path.lexists(machine.path(UNIT_ENABLED)):
        machine.command('systemctl', 'start', 'msr-safe.service')
    return notes


@action()
def apply_policy(machine, change, _payload):
    policy = change['policy']
    return make_policy_hold(machine, policy['statements'], policy['definitions'])


@action()
def set_nmi_watchdog(machine, change, _payload):
    set_watchdog(machine, change['enabled'])


@action()
def enable_service(machine, change, _payload):
    if not machine.runs:
        link_service(machine, change.get('unit', UNIT))
        return
    machine.command('systemctl', 'daemon-reload')
    # Before it is enabled, which says to the next run that all of this is done
    if change['start']:
        machine.command('systemctl', 'restart', 'msr-safe.service')
    # The link of a unit in /etc does not become one to that of a package by itself
    machine.command('systemctl', 'enable' if change.get('unit', UNIT) == UNIT else 'reenable', 'msr-safe.service')


def link_service(machine, unit):
    """Enable the service as ``systemctl enable`` does, where no systemd runs to ask."""
    link = machine.path(UNIT_ENABLED)
    os.makedirs(os.path.dirname(link), exist_ok=True)
    machine.remove(UNIT_ENABLED)
    os.symlink(unit, link)


@action()
def disable_service(machine, _change, _payload):
    if not machine.runs:
        machine.remove(UNIT_ENABLED)
        return
    machine.command('systemctl', 'disable', '--now', 'msr-safe.service')


@action()
def remove_path(machine, change, _payload):
    path = machine.path(change['path'])
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        machine.remove(change['path'])
    if change['path'].startswith(APPROVED_LIST):
        remove_if_empty(machine, APPROVED_LISTS)
        remove_if_empty(machine, SETTINGS)
    if change['path'].startswith('/etc/systemd/'):
        tell(machine, 'systemctl', 'daemon-reload')
    if change['path'].startswith('/etc/udev/'):
        tell(machine, 'udevadm', 'control', '--reload')


def tell(machine, *command):
    """Have a service that runs see what became of its files; in an image none does."""
    if machine.runs:
        machine.command(*command)


def remove_if_empty(machine, directory):
    """Remove a directory unless a site keeps files of its own there."""
    try:
        os.rmdir(machine.path(directory))
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise
