# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import os
import re

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import supplied_modules
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.change import carry_out_change
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.dkms import (
    built_by_dkms,
    dkms_text,
    observe_dkms,
    parse_status,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.tree import digest_tree, pack_tree
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import KERNEL
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.module_file import module_file

SOURCE = '/usr/src/msr-safe-2.0.0'
OURS = {'main.c': b'int x;\n', 'dkms.conf': dkms_text('2.0.0', 'd').encode('ascii')}
STATUS = 'dkms status'
INSTALLED = 'msr-safe/2.0.0, %s, x86_64: installed\n' % KERNEL


@pytest.fixture
def with_dkms(node):
    """A node with DKMS and our source, which it knows and has built for the running kernel."""
    node.put('/usr/sbin/dkms', '')
    for name, content in OURS.items():
        node.put(SOURCE + '/' + name, content)
    node.answers[STATUS] = (0, INSTALLED)
    return node


@pytest.mark.parametrize(
    'text, builds',
    [
        ('', {}),
        ('msr-safe/2.0.0: added\n', {'2.0.0': {}}),
        ('msr-safe, 2.0.0: added\n', {'2.0.0': {}}),
        (INSTALLED, {'2.0.0': {KERNEL: 'installed'}}),
        ('msr-safe, 2.0.0, %s, x86_64: installed\n' % KERNEL, {'2.0.0': {KERNEL: 'installed'}}),
        ('msr-safe/2.0.0, 6.1, x86_64: built\nmsr-safe/1.9.0: added\n', {'2.0.0': {'6.1': 'built'}, '1.9.0': {}}),
        (
            'msr-safe/2.0.0, 6.1, x86_64: installed (WARNING! Diff between built and installed module!)\n',
            {'2.0.0': {'6.1': 'different'}},
        ),
        (
            'msr-safe/2.0.0, 5.14.0-1.el9.x86_64, x86_64: installed-weak from x\n',
            {'2.0.0': {'5.14.0-1.el9.x86_64': 'installed-weak'}},
        ),
        (
            'Error! Could not locate dkms.conf.\nmsr-safe-tools/1.0: added\nnvidia/550.1, 6.1, x86_64: installed\n',
            {},
        ),
    ],
)
def test_what_dkms_says(text, builds):
    assert parse_status(text) == builds


def test_a_node_without_a_source_of_ours_is_not_asked(node):
    node.put('/usr/sbin/dkms', '')
    node.put('/usr/src/msr-safe-1.7.0/dkms.conf', 'PACKAGE_NAME="msr-safe"\n')
    node.put('/usr/src/msr-safe-old/Kbuild', '')
    assert observe_dkms(node.machine) == {'program': True, 'sources': {'1.7.0': None}, 'builds': {}}
    assert node.commands == []


def test_a_source_of_ours_has_a_digest_and_its_builds(with_dkms):
    assert observe_dkms(with_dkms.machine) == {
        'program': True,
        'sources': {'2.0.0': digest_tree(OURS)},
        'builds': {'2.0.0': {KERNEL: 'installed'}},
    }
    with_dkms.put(SOURCE + '/main.c', 'changed')
    assert observe_dkms(with_dkms.machine)['sources']['2.0.0'] != digest_tree(OURS)


@pytest.mark.parametrize('place', ['updates/dkms/msr-safe.ko', 'extra/msr-safe.ko', 'updates/msr-safe.ko'])
def test_the_module_is_found_wherever_the_distribution_has_it_put(with_dkms, place):
    path = with_dkms.put('/lib/modules/%s/%s' % (KERNEL, place), module_file(source_digest='d'))
    assert path in supplied_modules(KERNEL)
    assert built_by_dkms(with_dkms.machine, KERNEL, observe_dkms(with_dkms.machine)) == path


def test_what_dkms_did_not_install_is_not_its_module(with_dkms):
    with_dkms.put('/lib/modules/%s/updates/dkms/msr-safe.ko' % KERNEL, module_file(source_digest='d'))
    for status in (
        'msr-safe/2.0.0: added\n',
        INSTALLED.replace('installed', 'built'),
        INSTALLED.replace(KERNEL, '6.9'),
    ):
        with_dkms.answers[STATUS] = (0, status)
        assert built_by_dkms(with_dkms.machine, KERNEL, observe_dkms(with_dkms.machine)) is None


def test_the_configuration_is_what_dkms_reads():
    text = dkms_text('2.0.0', 'd1')
    words = dict(re.findall(r'^([A-Z_]+(?:\[0\])?)="(.*)"$', text, re.MULTILINE))
    assert (words['PACKAGE_NAME'], words['PACKAGE_VERSION'], words['BUILT_MODULE_NAME[0]']) == (
        'msr-safe',
        '2.0.0',
        'msr-safe',
    )
    # Behind that word, and only behind it, DKMS puts KERNELRELEASE and -j
    assert words['MAKE[0]'].startswith('make ') and 'SOURCE_DIGEST=d1' in words['MAKE[0]']
    for release in ('5.10.0-30-amd64', '6.1.0-18-amd64', '10.2'):
        assert re.match(words['BUILD_EXCLUSIVE_KERNEL'], release), release
    for release in ('4.18.0-553.el8', '5.4.0-1', '5.9.16', '1.2'):
        assert not re.match(words['BUILD_EXCLUSIVE_KERNEL'], release), release


# Actions


def carry_out(node, action, payload=None, **arguments):
    carry_out_change(node.machine, dict(arguments, action=action, title='do ' + action), payload)


def test_a_source_is_given(node):
    node.put('/usr/sbin/dkms', '')
    carry_out(node, 'give_source_to_dkms', pack_tree({'main.c': b'x'}), version='2.0.0', content='# conf\n')
    assert node.names(SOURCE) == ['dkms.conf', 'main.c']
    assert node.get(SOURCE + '/dkms.conf') == '# conf\n'
    assert node.ran() == ['dkms status -m msr-safe', 'dkms add -m msr-safe -v 2.0.0']


def test_another_source_of_the_version_goes_first(with_dkms):
    with_dkms.put(SOURCE + '/old.c', '')
    carry_out(with_dkms, 'give_source_to_dkms', pack_tree({'main.c': b'x'}), version='2.0.0', content='# conf\n')
    assert with_dkms.names(SOURCE) == ['dkms.conf', 'main.c']
    assert with_dkms.ran()[1:] == ['dkms remove -m msr-safe -v 2.0.0 --all', 'dkms add -m msr-safe -v 2.0.0']


@pytest.mark.parametrize('verb', ['build', 'install'])
def test_dkms_builds_and_installs(with_dkms, verb):
    carry_out(with_dkms, verb + '_with_dkms', version='2.0.0', kernel_release=KERNEL)
    assert with_dkms.ran() == ['dkms %s -m msr-safe -v 2.0.0 -k %s --force' % (verb, KERNEL)]


def test_what_the_compiler_said_is_told(with_dkms):
    with_dkms.answers['dkms build'] = with_dkms.answers['dkms install'] = (10, 'Error! Bad return status: 6.1\n')
    with pytest.raises(MsrSafeError, match='Bad return status'):
        carry_out(with_dkms, 'build_with_dkms', version='2.0.0', kernel_release=KERNEL)
    with_dkms.put('/var/lib/dkms/msr-safe/2.0.0/build/make.log', 'CC main.o\nmain.c:3: error: no such thing\n')
    with pytest.raises(MsrSafeError, match='c:3: error: no such thing'):
        carry_out(with_dkms, 'build_with_dkms', version='2.0.0', kernel_release=KERNEL)
    with pytest.raises(MsrSafeError, match='Bad return status'):
        carry_out(with_dkms, 'install_with_dkms', version='2.0.0', kernel_release=KERNEL)


def test_a_source_is_taken_away(with_dkms):
    carry_out(with_dkms, 'take_source_from_dkms', version='2.0.0', path=SOURCE)
    assert with_dkms.ran() == ['dkms status -m msr-safe', 'dkms remove -m msr-safe -v 2.0.0 --all']
    assert not with_dkms.has(SOURCE)


def test_a_source_is_taken_away_where_dkms_is_gone_or_knows_it_no_more(with_dkms):
    with_dkms.answers[STATUS] = (0, '')
    carry_out(with_dkms, 'take_source_from_dkms', version='2.0.0', path=SOURCE)
    os.unlink(with_dkms.path('/usr/sbin/dkms'))
    carry_out(with_dkms, 'take_source_from_dkms', version='2.0.0', path=SOURCE)
    assert with_dkms.ran() == ['dkms status -m msr-safe']
    assert not with_dkms.has(SOURCE)
