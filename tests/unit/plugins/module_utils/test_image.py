# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""An image: a machine whose files are in a directory, and which does not run. What runs here is not seen or touched."""

import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils import machine as machine_module
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine, machine_of


@pytest.fixture
def image(tmp_path):
    """A directory with files, and with the host's /proc, /sys, /run and /dev mounted there, as chroots often have."""
    files = {
        'etc/hostname': 'image',
        'usr/lib/os-release': 'of the image',
        'proc/cpuinfo': 'of the host',
        'sys/module/msr_safe/version': 'of the host',
        'run/msr-safe/jobs/42/record': 'of the host',
        'dev/cpu/msr_approved_list': 'of the host',
        'dev/null': '',
    }
    for path, content in files.items():
        os.makedirs(os.path.dirname(str(tmp_path / 'image' / path)), exist_ok=True)
        (tmp_path / 'image' / path).write_text(content)
    (tmp_path / 'outside').mkdir()
    (tmp_path / 'outside' / 'os-release').write_text('of the host')
    return tmp_path / 'image'


@pytest.fixture
def machine(image):
    return Machine(str(image), run=lambda arguments: (0, ' '.join(arguments)), runs=False)


OF_HOST = [
    '/proc/cpuinfo',
    '/sys/module/msr_safe/version',
    '/run/msr-safe/jobs/42/record',
    '/dev/cpu/msr_approved_list',
]


@pytest.mark.parametrize('path', OF_HOST)
def test_what_runs_on_the_host_is_not_seen(machine, path):
    assert machine.read(path) is None
    assert machine.read_text(path) is None
    assert not machine.exists(path)
    assert not machine.is_readable(path)
    assert machine.list(os.path.dirname(path)) == []


@pytest.mark.parametrize('path', OF_HOST)
def test_what_runs_on_the_host_has_no_path_that_could_be_written(machine, image, path):
    with pytest.raises(MsrSafeError, match='is not that of the image'):
        machine.path(path)
    with pytest.raises(MsrSafeError, match='is not that of the image'):
        machine.write(path, b'changed')
    assert (image / path.lstrip('/')).read_text() == 'of the host'


def test_a_link_of_the_image_leads_to_nothing_of_the_host_that_runs(machine, image):
    (image / 'var').mkdir()
    os.symlink('/run', str(image / 'var/run'))
    assert machine.list('/var/run/msr-safe') == []
    with pytest.raises(MsrSafeError, match='is not that of the image'):
        machine.path('/var/run/msr-safe/jobs')


def test_other_files_are_the_image_s(machine, image):
    assert machine.read_text('/etc/hostname') == 'image'
    assert machine.exists('/dev/null')
    machine.write('/etc/new', b'x')
    assert (image / 'etc/new').read_text() == 'x'


@pytest.mark.parametrize('target', ['/usr/lib/os-release', '../usr/lib/os-release', '../../../../usr/lib/os-release'])
def test_links_mean_what_they_mean_on_the_node(machine, image, target):
    os.symlink(target, str(image / 'etc/os-release'))
    assert machine.read_text('/etc/os-release') == 'of the image'


@pytest.mark.parametrize('up', ['', '/..', '/../..'])
def test_no_link_leads_out_of_the_image(machine, image, up):
    outside = str(image.parent / 'outside')
    os.symlink(outside, str(image / 'srv'))
    assert machine.read('/srv/os-release') is None
    machine.write('/srv%s/new' % up, b'x')
    assert not (image.parent / 'outside' / 'new').exists()
    assert not (image.parent / 'new').exists()


def test_a_file_that_is_written_takes_the_place_of_a_link(machine, image):
    os.symlink(str(image.parent / 'outside' / 'os-release'), str(image / 'etc/os-release'))
    machine.write('/etc/os-release', b'new')
    assert (image.parent / 'outside' / 'os-release').read_text() == 'of the host'
    assert machine.read('/etc/os-release') == b'new'


def test_links_in_a_circle_are_an_error(machine, image):
    os.symlink('b', str(image / 'a'))
    os.symlink('a', str(image / 'b'))
    with pytest.raises(MsrSafeError, match='Mend the symbolic links'):
        machine.read('/a/x')


@pytest.mark.parametrize('command', ['modprobe', '/sbin/modprobe', 'rmmod', 'insmod', 'systemctl', 'udevadm', 'sysctl'])
def test_commands_that_act_on_the_host_are_not_run(image, command):
    ran = []
    machine = Machine(str(image), run=ran.append, runs=False)
    code, output = machine.run([command, 'msr_safe'])
    assert (code, ran) == (126, [])
    assert 'not for an image' in output


def test_other_commands_are_run(machine):
    assert machine.command('depmod', '6.1') == 'depmod 6.1'


def test_commands_of_a_directory_are_run_in_it(image, monkeypatch):
    monkeypatch.setattr(machine_module, 'run_command', lambda arguments: (0, ' '.join(arguments)))
    machine = machine_of(str(image))
    assert not machine.runs
    assert machine.command('groupadd', 'msr') == 'chroot %s groupadd msr' % image
    assert machine.run(['modprobe', 'msr_safe'])[0] == 126


@pytest.mark.parametrize('root', ['relative', '/no/such/directory', '/', '//', '/etc/passwd', '/usr/..', '/etc'])
def test_what_is_no_image_is_refused(root):
    with pytest.raises(MsrSafeError, match=r'(?s)There is no image in .*msr_safe_root'):
        machine_of(root)


@pytest.mark.parametrize(
    'signs, runs',
    [
        ({'systemd': True, 'container': False, 'root': '/'}, True),
        ({'systemd': True, 'container': False, 'root': '/elsewhere'}, False),
        ({'systemd': True, 'container': True, 'root': '/'}, False),
        ({'systemd': False, 'container': False, 'root': '/'}, False),
        ({'systemd': True, 'container': False, 'root': PermissionError(13, 'x'), 'user': 1000}, True),
        ({'systemd': True, 'container': False, 'root': PermissionError(13, 'x'), 'user': 0}, False),
        ({'systemd': True, 'container': False, 'root': FileNotFoundError(2, 'x')}, False),
    ],
)
def test_a_system_runs_if_its_systemd_does_and_its_root_is_ours(monkeypatch, signs, runs):
    def samefile(one, other):
        assert {one, other} == {'/proc/1/root', '/'}
        if isinstance(signs['root'], OSError):
            raise signs['root']
        return signs['root'] == '/'

    monkeypatch.setattr(machine_module.os, 'geteuid', lambda: signs['user'])
    monkeypatch.setattr(machine_module.os.path, 'isdir', lambda path: signs['systemd'])
    monkeypatch.setattr(machine_module.os.path, 'exists', lambda path: signs['container'])
    monkeypatch.setattr(machine_module.os.path, 'samefile', samefile)
    assert machine_of(None).runs == runs
    assert machine_of('').runs == runs
