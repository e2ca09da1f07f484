# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the module comes from: packages, the role, DKMS. From each to the next, nothing is left of the former.

The tests stand on each other, in this order.
"""

import os
import pathlib
import re

import pytest

testinfra_hosts = ['ssh://skylake']

SCENARIO = pathlib.Path(__file__).parent.parent

OF_ROLE = (
    '/etc/systemd/system/msr-safe.service /etc/udev/rules.d/70-msr-safe.rules /lib/modules/*/updates/msr-safe.ko '
    '/var/lib/msr-safe/*/msr-safe.ko'
)
OF_PACKAGES = (
    '/usr/lib/systemd/system/msr-safe.service /usr/lib/udev/rules.d/70-msr-safe.rules /usr/share/msr-safe '
    '/usr/lib/sysusers.d/hpc-msr-safe.conf'
)
OF_DKMS = '/usr/src/msr-safe-* /var/lib/dkms/msr-safe /lib/modules/*/updates/dkms/msr-safe.ko'
COMMANDS = '/usr/sbin/msrsave /usr/sbin/msr-safe /usr/lib/msr-safe /usr/share/man/man8/msr-safe.8'

BUILDER = {
    'msr_safe_from_package': False,
    'msr_safe_builder': 'localhost',
    'msr_safe_builder_become': False,
    'msr_safe_build_directory': os.environ.get('FLEET_STATE', '') + '/builder',
    'msr_safe_artifacts': os.environ.get('FLEET_STATE', '') + '/artifacts',
}
DKMS = {'msr_safe_from_package': False, 'msr_safe_build_with': 'dkms'}


@pytest.fixture
def site(playbook):
    """Run the playbook site with more variables, after it was predicted; both succeed and change as many tasks."""

    def run(**variables):
        prediction = playbook('site', '--check', **variables)
        assert prediction.succeeded, prediction.output
        done = playbook('site', **variables)
        assert done.succeeded, done.output
        assert done.changed('skylake') == prediction.changed('skylake')
        return done

    return run


def there(host, paths):
    return host.run(f'ls -d {paths} 2>/dev/null').stdout.split()


def status(host):
    """Return what dkms status says of our module: {release: state}."""
    said = host.run('dkms status -m msr-safe').stdout
    return dict(re.findall(r'^msr-safe/\S+, (\S+), x86_64: (.*)$', said, re.MULTILINE))


def altered(host):
    """Return the files of the packages that are another or gone; pages of the manual are not on the nodes' image."""
    said = host.run('dpkg --verify hpc-msr-safe hpc-msr-safe-dkms').stdout
    return [line for line in said.splitlines() if '/usr/share/man/' not in line]


def works(host):
    """Return whether the service is well, and a list of some length in force."""
    host.run_expect([0], 'systemctl is-active msr-safe.service')
    return int(host.run_expect([0], 'grep --count ^0x /dev/cpu/msr_approved_list').stdout) > 100


def unchanged(playbook, **variables):
    again = playbook('site', **variables)
    assert again.succeeded, again.output
    return again.changed('skylake') == 0


# Packages


def test_the_module_of_the_package_is_used(host):
    assert works(host)
    release = host.run('uname -r').stdout.strip()
    assert status(host) == {release: 'installed'}
    assert host.run('modinfo -F filename msr_safe').stdout.strip().endswith(f'{release}/updates/dkms/msr-safe.ko')
    # All processors worked at the build
    assert 'jobserver unavailable' not in host.run('cat /var/lib/dkms/msr-safe/*/*/x86_64/log/make.log').stdout


def test_nothing_was_built_by_the_role_and_no_file_of_the_packages_is_another(host):
    assert there(host, OF_ROLE) == []
    assert altered(host) == []
    for path in COMMANDS.split():
        assert 'hpc-msr-safe: ' in host.run_expect([0], f'dpkg-query -S {path}').stdout


def test_a_second_run_changes_nothing(playbook):
    assert unchanged(playbook)


def test_the_devices_belong_to_the_group_of_the_package(host):
    assert host.run('stat -c "%a %G" /dev/cpu/0/msr_safe').stdout.strip() == '660 msr'
    assert host.run('cat /var/lib/msr-safe/created_group').stdout == ''


def test_the_service_of_the_package_loads_and_activates(host):
    host.run_expect([0], 'modprobe -r msr_safe')
    host.run_expect([0], 'systemctl is-enabled msr-safe.service')
    host.run_expect([0], 'systemctl restart msr-safe.service')
    assert works(host)


def test_another_group_is_a_matter_of_the_role(host, site):
    site(msr_safe_group='operators')
    assert there(host, OF_ROLE) == ['/etc/udev/rules.d/70-msr-safe.rules']
    assert host.run('stat -c "%a %G" /dev/cpu/0/msr_safe').stdout.strip() == '660 operators'
    site()
    assert there(host, OF_ROLE) == []
    assert host.run('stat -c "%a %G" /dev/cpu/0/msr_safe').stdout.strip() == '660 msr'


def test_without_being_told_to_the_role_refuses_and_names_the_way_out(host, playbook):
    refused = playbook('site', msr_safe_from_package=False)
    assert not refused.succeeded
    assert '/usr/sbin/msrsave (package hpc-msr-safe)' in refused.output
    assert 'msr_safe_from_package: true' in refused.output
    assert altered(host) == []


def test_removal_leaves_what_is_the_packages(host, playbook):
    removed = playbook('remove')
    assert removed.succeeded, removed.output
    assert not there(host, '/sys/module/msr_safe /etc/msr-safe /etc/modprobe.d/msr-safe.conf /var/lib/msr-safe')
    assert altered(host) == []
    assert len(there(host, OF_PACKAGES)) == 4


def test_without_ansible_it_takes_a_list_and_the_service(host):
    page = (SCENARIO.parents[1] / 'docs' / 'packages.md').read_text()
    commands = re.search(r'Without Ansible, .*?\n\n((?:    .*\n)+)', page)[1]
    host.run_expect([0], ' && '.join(line.strip() for line in commands.splitlines()))
    assert works(host)


# The role, then DKMS, and back


def test_without_packages_the_role_installs_its_own(host, site):
    host.run_expect([0], 'apt-get --yes purge hpc-msr-safe hpc-msr-safe-dkms')
    assert there(host, f'{OF_PACKAGES} {OF_DKMS} {COMMANDS}') == []
    site(**BUILDER)
    assert works(host)
    assert len(there(host, OF_ROLE)) == 4


def test_from_the_role_to_dkms(host, site, playbook):
    done = site(**DKMS)
    release = host.run('uname -r').stdout.strip()
    assert status(host) == {release: 'installed'}
    assert there(host, '/lib/modules/*/updates/msr-safe.ko /var/lib/msr-safe/*/msr-safe.ko') == []
    # The source is the same: the module in the kernel stays
    assert 'build: have DKMS build' in done.output and 'load: ' not in done.output
    assert done.output.index('have DKMS build') < done.output.index('install: remove /lib/modules/')
    assert works(host)
    assert unchanged(playbook, **DKMS)


def test_a_kernel_that_comes_later_gets_its_module_by_itself(host, playbook):
    release = host.run('uname -r').stdout.strip()
    host.run_expect([0], 'apt-get --quiet update')
    names = host.run_expect([0], "apt-cache search --names-only '^linux-headers-[0-9.]+-[0-9]+-cloud-amd64$'").stdout
    later = [name for name in re.findall(r'^linux-headers-(\S+)', names, re.MULTILINE) if name != release][-1]
    host.run_expect([0], f'apt-get --quiet --yes --no-install-recommends install linux-headers-{later}')
    assert status(host) == {release: 'installed', later: 'installed'}
    assert unchanged(playbook, msr_safe_kernels=[later], **DKMS)


def test_from_dkms_to_the_role(host, site, playbook):
    site(**BUILDER)
    assert there(host, OF_DKMS) == []
    assert len(there(host, '/lib/modules/*/updates/msr-safe.ko')) == 1
    assert works(host)
    assert unchanged(playbook, **BUILDER)


def test_removal_takes_all_away(host, playbook):
    removed = playbook('remove', **BUILDER)
    assert removed.succeeded, removed.output
    assert there(host, f'{OF_ROLE} {OF_PACKAGES} {OF_DKMS} {COMMANDS} /sys/module/msr_safe') == []
