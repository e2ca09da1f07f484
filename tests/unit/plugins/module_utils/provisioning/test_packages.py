# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.packages import (
    headers_package,
    install,
    observe_build,
    require_tools,
)
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import KERNEL


@pytest.mark.parametrize(
    'manager, release, package',
    [
        ('apt-get', '6.1.0-18-amd64', 'linux-headers-6.1.0-18-amd64'),
        ('apt-get', '6.8.0-1031-oracle', 'linux-headers-6.8.0-1031-oracle'),
        ('apt-get', '6.12.117+deb13-rt-amd64', 'linux-headers-6.12.117+deb13-rt-amd64'),
        ('zypper', '5.14.21-150500.55.52-default', 'kernel-default-devel=5.14.21-150500.55.52'),
        ('zypper', '6.4.0-150600.8.5-azure', 'kernel-azure-devel=6.4.0-150600.8.5'),
        ('zypper', '6.4.0-150600.10.17-rt', 'kernel-rt-devel=6.4.0-150600.10.17'),
        ('zypper', '6.11.0-rc3-1.g43b1d4e-default', None),
        ('zypper', '6.4.0', None),
        ('zypper', '6.4.0-150600', None),
        ('dnf', '5.14.0-427.13.1.el9_4.x86_64', 'kernel-devel-5.14.0-427.13.1.el9_4.x86_64'),
        ('dnf', '5.14.0-427.13.1.el9_4.x86_64+rt', 'kernel-rt-devel-5.14.0-427.13.1.el9_4.x86_64'),
        ('dnf', '5.15.0-206.153.7.1.el9uek.x86_64', 'kernel-uek-devel-5.15.0-206.153.7.1.el9uek.x86_64'),
        ('dnf', '6.12.0-55.9.1.el10_0.x86_64', 'kernel-devel-6.12.0-55.9.1.el10_0.x86_64'),
        ('yum', '5.10.214-202.855.amzn2.x86_64', 'kernel-devel-5.10.214-202.855.amzn2.x86_64'),
        ('dnf', '6.1.91-99.172.amzn2023.x86_64', 'kernel-devel-6.1.91-99.172.amzn2023.x86_64'),
        ('dnf', '6.12.20-23.97.amzn2023.x86_64', 'kernel6.12-devel-6.12.20-23.97.amzn2023.x86_64'),
        ('dnf', '5.14.0-284.11.1.rt14.296.el9_2.x86_64', 'kernel-rt-devel-5.14.0-284.11.1.rt14.296.el9_2.x86_64'),
        (
            'dnf',
            '5.14.0-284.11.1.rt14.296.el9_2.x86_64+debug',
            'kernel-rt-debug-devel-5.14.0-284.11.1.rt14.296.el9_2.x86_64',
        ),
        ('dnf', '6.8.5-301.fc40.x86_64+debug', 'kernel-debug-devel-6.8.5-301.fc40.x86_64'),
        ('dnf', '5.14.0-427.13.1.el9_4.x86_64+', None),
        ('dnf', '5.15.0-206.153.7.1.el9uek.x86_64.debug', None),
        ('dnf', '5.15.0-206.153.7.1.el9uek.x86_64+debug', None),
        ('dnf', '6.1.91-99.172.amzn2023.x86_64+mine', None),
        ('dnf', '6.9.1-1.el9.elrepo.x86_64', None),
        ('dnf', '6.6.0-of-mine', None),
        ('pacman', '6.9.1-arch1-1', None),
        (None, KERNEL, None),
    ],
)
def test_the_package_with_the_headers_of_a_kernel(manager, release, package):
    assert headers_package(manager, release) == package


@pytest.mark.parametrize(
    'manager, more',
    [
        ('apt-get', []),
        ('dnf', ['elfutils-libelf-devel']),
        ('yum', ['elfutils-libelf-devel']),
        ('zypper', ['libelf-devel']),
    ],
)
def test_names_what_is_missing(bare_node, manager, more):
    release = '5.14.0-427.13.1.el9_4.x86_64' if manager in ('dnf', 'yum') else '6.4.0-1-default'
    bare_node.put('/usr/bin/' + manager, '')
    bare_node.put('/usr/bin/make', '')
    build = observe_build(bare_node.machine, release)
    package = headers_package(manager, release)
    assert (build['package_manager'], build['headers'], build['headers_package']) == (manager, None, package)
    assert build['missing_packages'] == [package, *more, 'gcc']
    bare_node.put('/usr/bin/gcc', '')
    bare_node.put('/lib/modules/%s/build/Makefile' % release, '')
    assert observe_build(bare_node.machine, release)['missing_packages'] == []


def test_dnf_comes_before_the_yum_that_is_a_link_to_it(bare_node):
    for name in ('yum', 'dnf'):
        bare_node.put('/usr/bin/' + name, '')
    assert observe_build(bare_node.machine, KERNEL)['package_manager'] == 'dnf'


def test_headers_that_lead_nowhere_are_missing(bare_node):
    os.makedirs(bare_node.path('/lib/modules/' + KERNEL))
    bare_node.link('/lib/modules/%s/build' % KERNEL, '/usr/src/gone')
    assert observe_build(bare_node.machine, KERNEL)['headers'] is None


def test_a_machine_without_a_package_manager_has_to_have_it_all(bare_node):
    bare_node.put('/lib/modules/%s/build/Makefile' % KERNEL, '')
    with pytest.raises(MsrSafeError, match='needs gcc, make'):
        require_tools(observe_build(bare_node.machine, KERNEL), KERNEL, installs=True)


def test_installs(node):
    install(node.machine, 'apt-get', ['gcc', 'make'])
    update, command = node.ran()
    assert update == 'apt-get update'
    assert command.startswith('env DEBIAN_FRONTEND=noninteractive apt-get') and command.endswith(' install gcc make')


@pytest.mark.parametrize(
    'manager, output, words',
    [
        ('env', 'Reading...\nE: Unable to locate package linux-headers-x\nmore\n', 'E: Unable to locate package'),
        ('dnf', 'Last check\nError: Unable to find a match: kernel-devel-x\n', 'Unable to find a match'),
        ('zypper', "No provider of 'kernel-azure-devel' found.\n", 'No provider'),
        ('yum', '', 'no output'),
    ],
)
def test_what_cannot_be_installed_is_said(node, manager, output, words):
    node.answers[manager] = (1, output)
    with pytest.raises(MsrSafeError, match='(?s)Cannot install headers.*%s.*msr_safe_builder' % words):
        install(node.machine, 'apt-get' if manager == 'env' else manager, ['headers'])
