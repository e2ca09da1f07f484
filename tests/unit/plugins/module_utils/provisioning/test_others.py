# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import NOTICE
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.files import (
    MODPROBE,
    UDEV,
    UNIT,
    VENDOR_UDEV,
    udev_text,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.others import (
    describe_shadows,
    observe_others,
    observe_shadows,
)
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import KERNEL
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.module_file import module_file

MODULES = '/lib/modules/%s/' % KERNEL
MODES = {'msr_safe': '0660', 'msr_batch': '0660', 'msr_approved_list': '0600', 'msr_safe_version': '0440'}
RULE = 'ACTION=="add", KERNEL=="msr_safe*", SUBSYSTEM=="msr_safe", MODE="0666"\n'


@pytest.fixture
def clean(node):
    """A node with what the role installs, and files that are nobody's business."""
    node.put('/etc/msr-safe/approved_list', '# %s\n' % NOTICE)
    node.put(UDEV, udev_text('msr', MODES))
    node.put(MODULES + 'updates/msr-safe.ko', module_file(source_digest='d'))
    node.put(MODULES + 'modules.dep', 'kernel/a/b.ko.xz: kernel/c.ko\nupdates/msr-safe.ko:\n')
    node.put('/etc/modprobe.d/blacklist.conf', 'blacklist msr\ninstall pcspkr /bin/false\noptions msr x=1\ninstall\n')
    node.put(
        '/usr/lib/depmod.d/ubuntu.conf', 'search updates ubuntu built-in\noverride\noverride nvme * updates/dkms\n'
    )
    node.put(
        '/usr/lib/udev/rules.d/50-default.rules', 'SUBSYSTEM=="*", MODE="0660"\nKERNEL=="msr[0-9]*", MODE="0600"\n'
    )
    return node


NO_DKMS = {'program': False, 'sources': {}, 'builds': {}}


def others(node, packages=(), dkms=None):
    return observe_others(node.machine, [KERNEL], dict(packages), dkms or NO_DKMS)


def paths(node):
    return [other['path'] for other in others(node)]


def test_a_clean_node_has_none_and_nothing_is_run(clean):
    assert others(clean) == []
    assert clean.commands == []


# Modules


@pytest.mark.parametrize('name', ['updates/dkms/msr-safe.ko', 'extra/msr_safe.ko.xz', 'weak-updates/x/msr-safe.ko.zst'])
def test_another_file_of_the_module_is_seen(clean, name):
    clean.put(MODULES + name, module_file())
    (other,) = others(clean)
    assert (other['path'], other['kind'], other['wholly']) == (MODULES + name, 'module', True)
    assert 'another file' in other['what']


@pytest.mark.parametrize('name', ['updates/dkms/msr-safe.ko', 'kernel/drivers/msr-safe.ko'])
def test_what_modprobe_would_load_is_said(clean, name):
    clean.put(MODULES + name, module_file())
    clean.put(MODULES + 'modules.dep', name + ':\n')
    (other,) = others(clean)
    assert (other['path'], other['what']) == (MODULES + name, 'is the module that modprobe loads')


def test_what_depmod_remembers_and_is_gone_is_nothing(clean):
    clean.put(MODULES + 'modules.dep', 'updates/dkms/msr-safe.ko:\n')
    assert others(clean) == []


def test_a_module_of_others_in_our_place_is_seen(clean):
    clean.put(MODULES + 'updates/msr-safe.ko', module_file(version='1.7.0'))
    assert paths(clean) == [MODULES + 'updates/msr-safe.ko']


@pytest.mark.parametrize(
    'line', ['override msr-safe * updates/dkms', 'override msr_safe 6.1 extra', 'override msr-safe']
)
def test_overrides_of_depmod_are_seen(clean, line):
    clean.put('/etc/depmod.d/dkms.conf', '# DKMS\n\n%s\n' % line)
    (other,) = others(clean)
    assert (other['path'], other['wholly']) == ('/etc/depmod.d/dkms.conf', True)
    assert 'line 3: ' + line in other['what']


@pytest.mark.parametrize(
    'lines',
    [
        'override msr-safe * updates',
        'override msr-safe * updates # as ever',
        'override msr-safe 5\\.14\\.0-.* weak-updates/msr-safe',
        'search extra built-in\nsearch updates',
        'exclude updates-of-mine',
    ],
)
def test_lines_that_lead_depmod_nowhere_else_are_none(clean, lines):
    clean.put('/etc/depmod.d/site.conf', lines + '\n')
    assert others(clean) == []


@pytest.mark.parametrize('line', ['search extra built-in', 'search extra # updates', 'exclude foo updates'])
def test_depmod_that_is_led_past_our_directory_is_seen(clean, line):
    clean.put('/usr/lib/depmod.d/ubuntu.conf', '')
    clean.put('/etc/depmod.d/site.conf', line + '\n')
    (other,) = others(clean)
    assert (other['path'], other['kind']) == ('/etc/depmod.d/site.conf', 'lines')
    assert 'line 1: ' + line in other['what']


@pytest.mark.parametrize(
    'line',
    [
        'install msr_safe /bin/false',
        'options msr-safe mdev_msr_safe=222',
        'remove msr_safe x',
        'install msr* /bin/false',
        'install\tmsr[_-]safe \\\n/bin/false',
        'remove msr-s?fe /bin/true',
        'alias msr_safe off',
        'alias msr-* other',
    ],
)
def test_settings_of_modprobe_are_seen(clean, line):
    clean.put('/etc/modprobe.d/hardening.conf', 'install usb-storage /bin/false\n%s\n' % line)
    (other,) = others(clean)
    assert (other['path'], other['wholly']) == ('/etc/modprobe.d/hardening.conf', False)
    assert line.split()[1] in other['what']


@pytest.mark.parametrize(
    'line',
    [
        'alias msr off',
        'alias char-major-222-* msr_safe',
        'options msr* a=1',
        'softdep msr_safe post: x',
        'install msr[0-9]* x',
        'blacklist msr_safe',
    ],
)
def test_others_do_nothing_to_modprobe_msr_safe(clean, line):
    clean.put('/etc/modprobe.d/x.conf', line + '\n')
    assert others(clean) == []


@pytest.mark.parametrize('text, seen', [('module_blacklist=nouveau,msr_safe', 1), ('module_blacklist=msr', 0)])
def test_a_kernel_that_is_told_to_take_no_module_of_this_name(clean, text, seen):
    clean.put('/proc/cmdline', 'BOOT_IMAGE=/vmlinuz ro modprobe.blacklist=msr_safe %s quiet\n' % text)
    found = [(other['path'], other['wholly']) for other in others(clean)]
    assert found == [('/proc/cmdline', False)] * seen


# udev


@pytest.mark.parametrize(
    'rule',
    [
        RULE,
        'KERNEL=="msr_batch", GROUP="users"',
        'SUBSYSTEM=="msr_*", OWNER:="mike"',
        'KERNEL=="foo|msr_approved_list", MODE="0666"',
        'SUBSYSTEM=="msr_safe", \\\n  RUN+="/bin/chmod 666 $devnode"',
        'SUBSYSTEM=="msr_safe", TAG+="uaccess"',
        'SUBSYSTEM=="msr_safe", KERNEL!="msr_batch", MODE="0666"',
        'KERNEL=="msr_safe[1-9]*", MODE="0666"',
        'SUBSYSTEMS=="msr_safe", MODE="0666"',
        'KERNELS == "msr_batch" MODE = "0666"',
        'DEVPATH=="/devices/virtual/msr_*", MODE="0666"',
        'ENV{DEVNAME}=="/dev/cpu/*", GROUP="users"',
        'KERNEL==i"MSR_SAFE*", MODE="0666"',
        'ACTION=="change", SUBSYSTEM=="msr_safe", MODE="0666"',
        'ACTION!="add", SUBSYSTEM=="msr_safe", MODE="0666"',
        'SUBSYSTEM=="module", KERNEL=="msr_safe", RUN+="/bin/sh -c \'chmod 666 /dev/cpu/*/msr_safe\'"',
    ],
)
def test_rules_for_our_devices_are_seen(clean, rule):
    clean.put('/usr/lib/udev/rules.d/99-msr_safe.rules', '# theirs\n' + rule)
    (other,) = others(clean)
    assert (other['path'], other['wholly']) == ('/usr/lib/udev/rules.d/99-msr_safe.rules', True)
    assert 'line 2: ' in other['what']


@pytest.mark.parametrize(
    'rule',
    [
        '#' + RULE,
        'KERNEL=="msr_batch", SYMLINK+="msr"',
        'KERNEL=="msr_safe*", SUBSYSTEM=="msr", MODE="0666"',
        'KERNEL=="msr_batch", SUBSYSTEM!="msr_*", MODE="0666"',
        'SUBSYSTEM=="block", MODE="0660"',
        'MODE="0660"',
        'KERNEL=="msr_safe"',
        '',
    ],
)
def test_other_rules_are_not(clean, rule):
    clean.put('/etc/udev/rules.d/99-x.rules', rule + '\n')
    assert others(clean) == []


JUMPS = 'SUBSYSTEM!="msr_*", GOTO="end"\nMODE="0666"\nLABEL="end"\nMODE="0640"\n'


def test_a_rule_that_only_our_devices_come_to_is_seen(clean):
    clean.put('/etc/udev/rules.d/99-x.rules', JUMPS)
    (other,) = others(clean)
    assert 'line 2: MODE="0666"' in other['what']
    assert 'line 4' not in other['what']


@pytest.mark.parametrize(
    'rules',
    [
        JUMPS.replace('!=', '=='),
        JUMPS.replace('msr_*', 'block') + '# msr\n',
        JUMPS.replace('!="msr_*"', '=="?*"'),
        'KERNEL=="msr[0-9]*", GOTO="end"\n' + RULE.replace('msr_safe', 'msr') + 'LABEL="end"\n',
        'KERNEL=="msr_batch", ACTION=="remove", RUN+="/bin/logger gone"\n',
        'SUBSYSTEM=="msr", RUN+="/bin/chmod 660 /dev/cpu/%n/msr"\n',
    ],
)
def test_rules_that_pass_our_devices_by_are_not(clean, rules):
    clean.put('/etc/udev/rules.d/99-x.rules', rules)
    assert others(clean) == []


def test_a_rule_that_is_overridden_or_masked_is_none(clean):
    clean.put('/usr/lib/udev/rules.d/99-x.rules', RULE)
    clean.put('/etc/udev/rules.d/99-x.rules', '')
    assert others(clean) == []


@pytest.mark.parametrize('name', ['/etc/udev/rules.d/old.rules', '/etc/modprobe.d/old.conf', '/etc/depmod.d/old.conf'])
def test_a_directory_of_such_a_name_is_none_of_udevs_and_kmods_files(clean, name):
    clean.put(name + '/99-x', RULE)
    assert others(clean) == []


def test_a_rule_beside_others_is_not_wholly_about_us(clean):
    clean.put('/etc/udev/rules.d/99-site.rules', 'KERNEL=="sda", MODE="0600"\n' + RULE)
    assert [other['wholly'] for other in others(clean)] == [False]


# Our places


@pytest.mark.parametrize('path', ['/usr/sbin/msrsave', '/etc/msr-safe/approved_list', MODPROBE, UDEV, UNIT])
def test_files_of_others_where_ours_belong_are_seen(clean, path):
    clean.put(path, '#!/bin/sh\n')
    assert [(other['path'], other['kind']) for other in others(clean)] == [(path, 'file')]


def test_an_empty_file_is_nobodys(clean):
    clean.put(UNIT, '')
    assert others(clean) == []


@pytest.mark.parametrize(
    'command, output, package',
    [
        ('dpkg-query', 'msr-tools-x: /usr/sbin/msrsave\n', 'msr-tools-x'),
        ('rpm', 'msr-safe-1.7.0-1.el9.x86_64\n', 'msr-safe-1.7.0-1.el9.x86_64'),
        ('none', '', None),
    ],
)
def test_their_package_is_named(clean, command, output, package):
    clean.put('/usr/sbin/msrsave', '#!/bin/sh\n')
    clean.answers.update({'dpkg-query': (127, 'not found'), 'rpm': (127, 'not found'), command: (0, output)})
    assert [other['package'] for other in others(clean)] == [package]


# Our own packages, and what DKMS built

BUILT = dict(NO_DKMS, sources={'2.0.0': 'd'}, builds={'2.0.0': {KERNEL: 'installed'}})


def test_packages_of_ours_are_named_by_what_they_brought(clean):
    found = others(clean, {'hpc-msr-safe': '2.0.0', 'hpc-msr-safe-dkms': '2.0.1'})
    assert {other['kind'] for other in found} == {'packaged'} and not any(other['wholly'] for other in found)
    by_package = {other['package']: other['path'] for other in found}
    assert by_package['hpc-msr-safe-dkms'] == '/usr/src/msr-safe-2.0.1'
    assert '/usr/sbin/msrsave' in [other['path'] for other in found]


def test_the_rules_of_our_package_are_none_of_others(clean):
    clean.remove(UDEV)
    clean.put(VENDOR_UDEV, udev_text('msr', MODES))
    assert paths(clean) == [VENDOR_UDEV]
    assert {other['kind'] for other in others(clean, {'hpc-msr-safe': '2.0.0'})} == {'packaged'}


@pytest.mark.parametrize('name', ['updates/dkms/msr-safe.ko', 'extra/msr-safe.ko'])
def test_what_dkms_built_of_our_source_is_none_of_others(clean, name):
    clean.put(MODULES + name, module_file(source_digest='d'))
    clean.put(MODULES + 'modules.dep', name + ':\n')
    assert others(clean, dkms=BUILT) == []
    assert paths(clean) == [MODULES + name]
    clean.put(MODULES + name, module_file())
    assert [other['path'] for other in others(clean, dkms=BUILT)] == [MODULES + name]


def test_commands_of_a_local_copy_that_a_shell_finds_before_ours_are_said(clean):
    assert observe_shadows(clean.machine) == []
    clean.put('/usr/sbin/msrsave', 'ours')
    clean.put('/usr/sbin/msr-safe', 'ours')
    clean.put('/usr/local/bin/msrsave', 'of a local copy')
    clean.put('/usr/local/sbin/rdmsr', 'another program')
    # A link to ours is ours
    os.makedirs(clean.path('/usr/local/sbin'), exist_ok=True)
    os.symlink(clean.path('/usr/sbin/msr-safe'), clean.path('/usr/local/sbin/msr-safe'))
    assert observe_shadows(clean.machine) == ['/usr/local/bin/msrsave']
    (said,) = describe_shadows(['/usr/local/bin/msrsave'])
    assert said.startswith('/usr/local/bin/msrsave is found before /usr/sbin/msrsave')


def test_they_are_said_where_ours_are_yet_to_come(clean):
    clean.put('/usr/local/sbin/msr-safe', 'of a local copy')
    assert observe_shadows(clean.machine) == ['/usr/local/sbin/msr-safe']
