# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import functools
import os
import stat

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.access import lock
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import PACKAGE
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import actions
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.actions import first_error
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.change import carry_out_change
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.files import VENDOR_UNIT
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.observation import commands_files
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.tree import pack_tree, read_tree
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import KERNEL
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.module_file import SIGNATURE, module_file

BUILT = '/var/lib/msr-safe/%s/msr-safe.ko' % KERNEL
INSTALLED = '/lib/modules/%s/updates/msr-safe.ko' % KERNEL
BUILD = {
    'path': BUILT,
    'kernel_release': KERNEL,
    'vermagic': None,
    'sign': None,
    'version': '2.0.0',
    'source_digest': 'd1',
}
MODULE = module_file(version='2.0.0', source_digest='d1', vermagic=KERNEL + ' SMP ').decode('latin-1')


def carry_out(node, action, payload=None, **arguments):
    carry_out_change(node.machine, dict(arguments, action=action, title='do ' + action), payload)


def refusal(node, action, payload=None, **arguments):
    with pytest.raises(MsrSafeError) as caught:
        carry_out(node, action, payload, **arguments)
    return str(caught.value)


def load(node, users=0):
    node.put('/sys/module/msr_safe/refcnt', '%d\n' % users)


# Files


def test_writes_a_file(node):
    carry_out(node, 'write_file', path='/etc/modprobe.d/x.conf', content='options ü\n')
    assert node.get('/etc/modprobe.d/x.conf') == 'options ü\n'


@pytest.mark.parametrize(
    'action, path, arguments, payload',
    [
        ('write_file', '/etc/modprobe.d/msr-safe.conf', {'content': 'options\n'}, None),
        ('deliver_module', BUILT, {}, b'module'),
        ('install_module', INSTALLED, {'built': BUILT, 'kernel_release': KERNEL}, None),
    ],
)
def test_what_a_write_that_was_killed_left_is_taken_away(node, action, path, arguments, payload):
    directory, name = os.path.split(path)
    node.put(BUILT, 'module')
    node.put('%s/.%s.0123abcd' % (directory, name), 'half of it')
    node.put(directory + '/.other.0123abcd', 'of somebody else')
    carry_out(node, action, payload, path=path, **arguments)
    assert [each for each in node.names(directory) if each.startswith('.')] == ['.other.0123abcd']


def test_writes_a_script(node):
    carry_out(node, 'write_file', path='/etc/kernel/x', content='#!/bin/sh\n', mode='0755')
    assert stat.S_IMODE(os.stat(node.path('/etc/kernel/x')).st_mode) == 0o755


@pytest.mark.parametrize(
    'path, commands',
    [
        ('/etc/modprobe.d/msr-safe.conf', []),
        ('/etc/systemd/system/msr-safe.service', ['systemctl daemon-reload']),
        ('/etc/udev/rules.d/70-msr-safe.rules', ['udevadm control --reload']),
    ],
)
def test_removes_a_file_and_tells_who_reads_it(node, path, commands):
    node.put(path, '')
    carry_out(node, 'remove_path', path=path)
    assert not node.has(path)
    assert node.ran() == commands


def test_removes_a_directory_with_all_in_it(node):
    node.put('/var/lib/msr-safe/6.1/build.log', '')
    carry_out(node, 'remove_path', path='/var/lib/msr-safe')
    assert not node.has('/var/lib/msr-safe')


def test_removes_a_link_and_not_what_it_leads_to(node):
    node.put('/srv/kept/file', '')
    node.link('/var/lib/msr-safe', node.path('/srv/kept'))
    carry_out(node, 'remove_path', path='/var/lib/msr-safe')
    assert not node.has('/var/lib/msr-safe')
    assert node.has('/srv/kept/file')


def test_what_is_gone_already_is_no_failure(node):
    carry_out(node, 'remove_path', path='/etc/modprobe.d/msr-safe.conf')


def test_what_cannot_be_removed_is_said(node, monkeypatch):
    node.put('/var/lib/msr-safe/file', '')

    def fail(*_arguments, **_keywords):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(actions.shutil, 'rmtree', fail)
    assert 'Read-only file system' in refusal(node, 'remove_path', path='/var/lib/msr-safe')


# Building


@pytest.fixture
def builder(node):
    """A node with kernel headers, on which make builds MODULE."""
    for path in ('/lib/modules/%s/build/Makefile' % KERNEL, '/usr/bin/gcc', '/usr/bin/make'):
        node.put(path, '')
    node.effects['make'] = lambda arguments: make(node, arguments)
    node.answers['make'] = (0, 'CC main.o\n')
    return node


def make(node, arguments):
    directory = node.path(arguments[arguments.index('-C') + 1])
    node.sources = read_tree(directory)
    with open(directory + '/msr-safe.ko', 'wb') as stream:
        stream.write(MODULE.encode('latin-1'))


SOURCE = {'main.c': b'int main;\n', 'probes/one.c': b''}


def test_builds_in_a_copy_of_the_source(builder):
    carry_out(builder, 'build_module', pack_tree(SOURCE), **BUILD)
    with open(builder.path(BUILT), 'rb') as stream:
        assert stream.read() == MODULE.encode('latin-1')
    assert builder.sources == SOURCE
    (command,) = builder.commands
    assert command[0] == 'make'
    settings = [word for word in command if '=' in word]
    assert sorted(settings) == ['KERNEL_RELEASE=' + KERNEL, 'SOURCE_DIGEST=d1', 'VERSION=2.0.0']


def test_building_leaves_the_module_and_the_log(builder):
    carry_out(builder, 'build_module', pack_tree(SOURCE), **BUILD)
    left = set(builder.names(os.path.dirname(BUILT)))
    assert {'msr-safe.ko', 'build.log'} <= left <= {'msr-safe.ko', 'build.log', 'lock'}
    assert builder.get(os.path.dirname(BUILT) + '/build.log') == 'CC main.o\n'


def test_what_another_node_had_built_meanwhile_is_not_built_again(builder):
    carry_out(builder, 'build_module', pack_tree(SOURCE), **BUILD)
    carry_out(builder, 'build_module', pack_tree(SOURCE), **BUILD)
    assert len(builder.commands) == 1


def test_what_a_build_that_was_killed_left_is_taken_away(builder):
    directory = os.path.dirname(BUILT)
    builder.put(directory + '/build.x1y2z3/source/main.c', 'half of it')
    carry_out(builder, 'build_module', pack_tree(SOURCE), **BUILD)
    assert sorted(builder.names(directory)) == ['build.log', 'lock', 'msr-safe.ko']


def test_what_its_compilers_write_meanwhile_is_taken_away_too(builder):
    directory, build = os.path.dirname(BUILT), builder.effects['make']

    def build_beside_another(arguments):
        builder.put(directory + '/build.x1y2z3/source/main.o', 'from a compiler that lives on')
        build(arguments)

    builder.effects['make'] = build_beside_another
    carry_out(builder, 'build_module', pack_tree(SOURCE), **BUILD)
    assert sorted(builder.names(directory)) == ['build.log', 'lock', 'msr-safe.ko']


def test_another_source_is_built_again(builder):
    builder.put(BUILT, module_file(source_digest='d0'))
    carry_out(builder, 'build_module', pack_tree(SOURCE), **BUILD)
    assert len(builder.commands) == 1


def test_a_build_that_fails_says_the_first_error_and_keeps_the_log(builder):
    old = module_file(source_digest='d0')
    builder.put(BUILT, old)
    del builder.effects['make']
    builder.answers['make'] = (2, 'CC main.o\nmain.c:3:1: error: unknown type\nmake: *** Error 2\n')
    said = refusal(builder, 'build_module', pack_tree(SOURCE), **BUILD)
    assert 'main.c:3:1: error: unknown type' in said
    assert '/var/lib/msr-safe/%s/build.log' % KERNEL in said
    assert 'unknown type' in builder.get('/var/lib/msr-safe/%s/build.log' % KERNEL)
    with open(builder.path(BUILT), 'rb') as stream:
        assert stream.read() == old
    assert not [
        name for name in builder.names(os.path.dirname(BUILT)) if name.startswith('build.') and name != 'build.log'
    ]


def test_a_damaged_module_is_built_again(builder):
    builder.put(BUILT, b'')
    carry_out(builder, 'build_module', pack_tree(SOURCE), **BUILD)
    assert len(builder.commands) == 1


@pytest.mark.parametrize('settings', [{'vermagic': KERNEL + ' SMP preempt'}, {'kernel_release': '6.1.0-99-amd64'}])
def test_a_module_for_another_kernel_is_a_failure(builder, settings):
    builder.put('/lib/modules/6.1.0-99-amd64/build/Makefile', '')
    said = refusal(builder, 'build_module', pack_tree(SOURCE), **dict(BUILD, **settings))
    assert KERNEL + ' SMP' in said and 'headers' in said
    assert not builder.has(BUILT)


def test_signs_what_it_builds_and_keeps_nothing_unsigned(builder):
    signed = dict(BUILD)
    signed['sign'] = {'command': ['/opt/sign']}
    builder.answers['/opt/sign'] = (0, '')
    assert 'could not be signed' in refusal(builder, 'build_module', pack_tree(SOURCE), **signed)
    assert not builder.has(BUILT)
    builder.effects['/opt/sign'] = lambda arguments: append(arguments[-1], SIGNATURE)
    carry_out(builder, 'build_module', pack_tree(SOURCE), **signed)
    with open(builder.path(BUILT), 'rb') as stream:
        assert stream.read() == MODULE.encode('latin-1') + SIGNATURE


def test_what_is_asked_for_with_a_signature_is_signed_now(builder):
    """Nobody asks where the controller has the module: what is here may be of another key, whatever its path."""
    signed = dict(BUILD)
    signed['sign'] = {'command': ['/opt/sign']}
    builder.answers['/opt/sign'] = (0, '')
    builder.effects['/opt/sign'] = lambda arguments: append(arguments[-1], SIGNATURE)
    for _time in range(2):
        builder.commands.clear()
        carry_out(builder, 'build_module', pack_tree(SOURCE), **signed)
        assert builder.commands[-1][0] == '/opt/sign'


def append(path, content):
    with open(path, 'ab') as stream:
        stream.write(content)


def test_a_build_that_leaves_no_module_is_a_failure(builder):
    del builder.effects['make']
    assert 'msr-safe.ko' in refusal(builder, 'build_module', pack_tree(SOURCE), **BUILD)
    assert not builder.has(BUILT)


def test_without_headers_it_says_which_package(node):
    node.put('/usr/bin/apt-get', '')
    said = refusal(node, 'build_module', pack_tree(SOURCE), **BUILD)
    assert '/lib/modules/%s/build is missing' % KERNEL in said
    assert 'linux-headers-' + KERNEL in said
    assert node.commands == []


def test_a_damaged_archive_is_said(builder):
    assert 'do build_module' in refusal(builder, 'build_module', b'no zip', **BUILD)


@pytest.mark.parametrize(
    'output, line',
    [
        ('', 'no output'),
        ('one\ntwo\n', 'two'),
        (
            'CC x\nx.c: fatal error: a.h: No such file or directory\nmore\n',
            'x.c: fatal error: a.h: No such file or directory',
        ),
        ('sh: 1: gcc: not found\nmake: *** Error\n', 'sh: 1: gcc: not found'),
        ('cc -Werror x.c\nx.c: Error 1\n', 'x.c: Error 1'),
    ],
)
def test_the_first_error_of_a_build(output, line):
    assert first_error(output) == line


def test_keeps_a_delivered_module_as_if_built_here(node):
    carry_out(node, 'deliver_module', MODULE.encode('latin-1'), path=BUILT, artifact='/controller/path')
    with open(node.path(BUILT), 'rb') as stream:
        assert stream.read() == MODULE.encode('latin-1')


# Installing and loading


def test_installs_what_was_built(node):
    node.put(BUILT, 'module')
    carry_out(node, 'install_module', path=INSTALLED, built=BUILT, kernel_release=KERNEL)
    assert node.get(INSTALLED) == 'module'
    assert node.ran() == ['depmod ' + KERNEL]


def test_without_a_built_module_the_installed_one_stays(node):
    node.put(INSTALLED, 'old')
    assert BUILT in refusal(node, 'install_module', path=INSTALLED, built=BUILT, kernel_release=KERNEL)
    assert node.get(INSTALLED) == 'old'


def test_uninstalls(node):
    node.put(INSTALLED, 'module')
    carry_out(node, 'uninstall_module', path=INSTALLED, kernel_release=KERNEL)
    assert not node.has(INSTALLED)
    assert node.ran() == ['depmod ' + KERNEL]


def test_a_depmod_that_fails_is_said(node):
    node.put(INSTALLED, 'module')
    node.answers['depmod'] = (1, 'depmod: ERROR\n')
    assert 'depmod: ERROR' in refusal(node, 'uninstall_module', path=INSTALLED, kernel_release=KERNEL)


def test_loads_and_waits_for_the_devices(node):
    carry_out(node, 'load_module', kernel_release=KERNEL, ours=[])
    assert node.ran() == ['modprobe msr_safe', 'udevadm settle']


@pytest.fixture
def distrustful(node):
    """A node whose kernel does not trust who signed the module that is installed."""
    node.put('/sys/module/module/parameters/sig_enforce', 'Y\n')
    node.answers['modprobe msr_safe'] = (1, 'modprobe: ERROR: Key was rejected by service\n')
    for path in (INSTALLED, BUILT):
        node.put(path, 'module')
    return node


def test_a_module_that_the_kernel_does_not_trust_makes_room_for_one_that_it_does(distrustful):
    said = refusal(distrustful, 'load_module', kernel_release=KERNEL, ours=[INSTALLED, BUILT])
    assert 'Key was rejected' in said
    assert said.endswith('The module was taken off the node: the next run brings what the builder has by then.')
    assert not distrustful.has(INSTALLED) and not distrustful.has(BUILT)
    assert distrustful.ran()[-1] == 'depmod ' + KERNEL


def test_what_no_builder_brought_stays_on_the_node(distrustful):
    refusal(distrustful, 'load_module', kernel_release=KERNEL, ours=[])
    assert distrustful.has(INSTALLED) and distrustful.has(BUILT)


def test_what_is_refused_for_another_reason_stays_too(distrustful):
    distrustful.answers['modprobe msr_safe'] = (1, 'modprobe: ERROR: Device or resource busy\n')
    refusal(distrustful, 'load_module', kernel_release=KERNEL, ours=[INSTALLED, BUILT])
    assert distrustful.has(INSTALLED) and distrustful.has(BUILT)


def test_a_loaded_module_is_unloaded_first(node):
    load(node)
    carry_out(node, 'load_module', kernel_release=KERNEL, ours=[])
    assert node.ran() == ['modprobe -r msr_safe', 'modprobe msr_safe', 'udevadm settle']


@pytest.mark.parametrize('action', ['load_module', 'unload_module'])
def test_a_module_in_use_is_not_touched(node, action):
    load(node, users=1)
    node.put('/proc/42/comm', 'geopmd\n')
    node.link('/proc/42/fd/3', '/dev/cpu/msr_batch')
    assert 'geopmd (pid 42)' in refusal(node, action)
    assert node.commands == []


def test_unloads(node):
    load(node)
    carry_out(node, 'unload_module')
    assert node.ran() == ['modprobe -r msr_safe']


def test_what_is_not_loaded_needs_no_unloading(node):
    carry_out(node, 'unload_module')
    assert node.commands == []


# Groups and rules


def test_adds_a_group_and_remembers_it(node):
    carry_out(node, 'add_group', group='msr')
    assert node.ran() == ['groupadd --system msr']
    assert node.get('/var/lib/msr-safe/created_group') == 'msr\n'


def test_a_group_that_cannot_be_added_is_not_remembered(node):
    node.answers['groupadd'] = (10, "groupadd: can't update group file\n")
    assert "can't update group file" in refusal(node, 'add_group', group='msr')
    assert not node.has('/var/lib/msr-safe/created_group')


def test_removes_a_group(node):
    node.put('/var/lib/msr-safe/created_group', 'msr\n')
    carry_out(node, 'remove_group', group='msr')
    assert node.ran() == ['groupdel msr']
    assert not node.has('/var/lib/msr-safe/created_group')


def test_remembers_a_former_group_until_it_is_gone(node):
    node.put('/var/lib/msr-safe/created_group', 'before\n')
    carry_out(node, 'add_group', group='msr')
    assert node.get('/var/lib/msr-safe/created_group') == 'before\nmsr\n'
    carry_out(node, 'remove_group', group='before')
    assert node.get('/var/lib/msr-safe/created_group') == 'msr\n'


def test_sets_modes(node):
    node.put(INSTALLED, 'x')
    os.chmod(node.path(INSTALLED), 0o666)
    carry_out(node, 'set_mode', path=INSTALLED, mode='0644')
    assert stat.S_IMODE(os.stat(node.path(INSTALLED)).st_mode) == 0o644


def test_sets_no_mode_of_what_a_link_leads_to(node):
    node.put('/srv/x', 'x')
    os.chmod(node.path('/srv/x'), 0o600)
    node.link(INSTALLED, node.path('/srv/x'))
    assert 'symbolic link' in refusal(node, 'set_mode', path=INSTALLED, mode='0644')
    assert stat.S_IMODE(os.stat(node.path('/srv/x')).st_mode) == 0o600


@pytest.mark.parametrize(
    'path, commands',
    [
        ('/etc/udev/rules.d/99-x.rules', ['udevadm control --reload']),
        ('/lib/modules/%s/extra/msr-safe.ko' % KERNEL, ['depmod ' + KERNEL]),
        ('/etc/depmod.d/x.conf', ['depmod ' + KERNEL]),
        ('/usr/sbin/msrsave', []),
    ],
)
def test_sets_files_of_others_aside_and_keeps_each(node, path, commands):
    for content in ('one', 'two'):
        node.put(path, content)
        carry_out(node, 'set_aside', path=path, kernel_releases=[KERNEL])
        assert not node.has(path)
    assert (node.get(path + '.set-aside'), node.get(path + '.set-aside.2')) == ('one', 'two')
    assert node.ran() == commands * 2


def test_a_sites_own_files_beside_the_list_stay(node):
    node.put('/etc/msr-safe/notes', 'ours')
    carry_out(node, 'remove_path', path='/etc/msr-safe/approved_list')
    assert node.names('/etc/msr-safe') == ['notes']
    node.remove('/etc/msr-safe/notes')
    carry_out(node, 'remove_path', path='/etc/msr-safe/approved_list')
    assert not node.has('/etc/msr-safe')


def test_shows_modules_to_depmod(node):
    carry_out(node, 'find_modules', kernel_release=KERNEL)
    assert node.ran() == ['depmod ' + KERNEL]


def test_applies_rules_to_all_classes_and_waits(node):
    carry_out(node, 'apply_udev_rules')
    reload_rules, trigger = node.commands
    assert reload_rules == ['udevadm', 'control', '--reload']
    assert trigger[:2] == ['udevadm', 'trigger']
    assert '--settle' in trigger
    for name in ('msr_safe', 'msr_batch', 'msr_approved_list', 'msr_safe_version'):
        assert '--subsystem-match=' + name in trigger


def test_applies_rules_where_udev_cannot_wait_for_its_own_events(node):
    """udevadm of systemd 219, as Amazon 2 has it: trigger knows no --settle."""
    trigger = ' '.join(actions.UDEV_TRIGGER)
    node.answers[trigger + ' --settle'] = (1, "udevadm: unrecognized option '--settle'")
    carry_out(node, 'apply_udev_rules')
    assert node.ran()[2:] == [trigger, 'udevadm settle']


# Commands, the list and the service


def test_installs_commands_and_library(node):
    node.put(PACKAGE + '/old.py', '')
    node.put('/usr/sbin/.msrsave.0123abcd', 'half of it')
    package = {'cpu.py': b'1', 'commands/msrsave.py': b'2', 'help/man/msrsave.8': b'3'}
    carry_out(node, 'install_commands', pack_tree(package))
    assert read_tree(node.path(PACKAGE)) == package
    for path, content in commands_files(package).items():
        assert node.get(path).encode() == content
        mode = 0o755 if path.startswith('/usr/sbin') else 0o644
        assert stat.S_IMODE(os.stat(node.path(path)).st_mode) == mode
    assert node.get('/usr/share/man/man8/msrsave.8') == '3'
    assert node.names('/usr/sbin') == ['msr-safe', 'msrsave']


def test_activates_the_installed_list(node):
    node.put('/etc/msr-safe/approved_list', '0x10 0x0\n')
    carry_out(node, 'activate_list', path='/etc/msr-safe/approved_list')
    assert node.active() == {0x10: 0}
    assert node.ran() == []


def test_a_service_that_failed_for_want_of_the_list_is_started(node):
    node.put('/etc/msr-safe/approved_list', '0x10 0x0\n')
    node.link('/etc/systemd/system/multi-user.target.wants/msr-safe.service', '/etc/systemd/system/msr-safe.service')
    carry_out(node, 'activate_list', path='/etc/msr-safe/approved_list')
    assert node.ran() == ['systemctl start msr-safe.service']


def test_who_saves_registers_is_not_given_another_list_meanwhile(node, monkeypatch):
    monkeypatch.setattr(actions, 'locked', functools.partial(lock.locked, patience=0))
    before = node.active()
    with lock.locked(node.machine, 'msrsave'):
        assert 'holds the lock' in refusal(node, 'activate_list', path='/etc/msr-safe/approved_list')
    assert node.active() == before


def test_a_missing_list_never_becomes_the_empty_one(node):
    before = node.active()
    node.remove('/etc/msr-safe/approved_list')
    assert '/etc/msr-safe/approved_list' in refusal(node, 'activate_list')
    assert node.active() == before


@pytest.mark.parametrize('start, starts', [(True, ['systemctl restart msr-safe.service']), (False, [])])
def test_enables_the_service_last_so_that_a_run_that_ends_before_leaves_it_to_the_next(node, start, starts):
    carry_out(node, 'enable_service', start=start)
    assert node.ran() == ['systemctl daemon-reload', *starts, 'systemctl enable msr-safe.service']


def test_links_the_service_to_the_unit_of_a_package(node):
    carry_out(node, 'enable_service', start=False, unit=VENDOR_UNIT)
    assert node.ran() == ['systemctl daemon-reload', 'systemctl reenable msr-safe.service']


def test_disables_the_service(node):
    carry_out(node, 'disable_service')
    assert node.ran() == ['systemctl disable --now msr-safe.service']


# What goes wrong with the machine


@pytest.mark.parametrize(
    'action, arguments',
    [
        ('build_module', BUILD),
        ('install_commands', {}),
        ('deliver_module', {'path': BUILT, 'artifact': '/x'}),
        ('write_file', {'path': '/var/lib/x/y', 'content': ''}),
    ],
)
def test_a_file_system_that_takes_nothing_is_no_traceback(builder, action, arguments):
    for directory in ('/var/lib', '/usr/lib', '/usr/sbin'):
        builder.put(directory, '')  # a file in the place of a directory
    assert refusal(builder, action, pack_tree(SOURCE), **arguments)


@pytest.mark.parametrize('action', ['build_module', 'install_commands', 'deliver_module'])
def test_what_was_not_sent_is_no_traceback(builder, action):
    assert 'was not sent along' in refusal(builder, action, **dict(BUILD, artifact='/x'))
