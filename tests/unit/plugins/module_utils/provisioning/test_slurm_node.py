# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Slurm is found where it is, and what cannot be seen is not taken for seen."""

import os
import socket

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs import standby
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.slurm_node import observe_slurm_node

PLACES = {'bindir': '', 'plugstack': '', 'prolog': '/etc/slurm/prolog.d/50', 'epilog': '/etc/slurm/epilog.d/50'}
DEBIAN = '/usr/lib/x86_64-linux-gnu/slurm-wlm'
UNIT = '[Service]\nEnvironmentFile=-/etc/default/slurmd\nExecStart=/opt/slurm/23.11/sbin/slurmd -D $SLURMD_OPTIONS\n'


@pytest.fixture
def slurm(node):
    """A node with Slurm as Debian has it."""
    node.put('/usr/sbin/slurmd', '')
    node.put('/usr/bin/squeue', '')
    node.put('/etc/slurm/slurm.conf', 'PrologFlags=Alloc\nPartitionName=main OverSubscribe=EXCLUSIVE\n')
    node.put(DEBIAN + '/task_none.so', '')
    node.answers['timeout 120 /usr/sbin/slurmd -V'] = (0, 'slurm-wlm 22.05.8\n')
    return node


def observe(node, submit_only=False, **places):
    return observe_slurm_node(node.machine, submit_only, dict(PLACES, **places))


def test_from_packages(slurm):
    assert observe(slurm)['slurm'] == {
        'version': '22.05.8',
        'mute': None,
        'bindir': '',
        'conf': '/etc/slurm/slurm.conf',
        'configless': False,
        'values': {'prologflags': 'Alloc'},
        'partitions': {'main': {'oversubscribe': 'EXCLUSIVE'}},
        'plugin_directory': DEBIAN,
        'plugstack': '/etc/slurm/plugstack.conf',
    }


def opt(node):
    """Slurm below /opt, as its unit says, with its configuration elsewhere."""
    node.put('/etc/systemd/system/slurmd.service', UNIT)
    node.put('/etc/default/slurmd', 'SLURMD_OPTIONS="-f /srv/slurm/slurm.conf"\n')
    node.put('/srv/slurm/slurm.conf', 'PlugStackConfig=/srv/slurm/plugstack.conf\n')
    for name in ('sbin/slurmd', 'bin/squeue', 'bin/sbatch', 'lib/slurm/task_none.so'):
        node.put('/opt/slurm/23.11/' + name, '')
    node.answers['timeout 120 /opt/slurm/23.11/sbin/slurmd -V'] = (0, 'slurm 23.11.4\n')


def test_in_opt_as_its_unit_says(node):
    opt(node)
    found = observe(node)['slurm']
    assert (found['version'], found['bindir']) == ('23.11.4', '/opt/slurm/23.11/bin')
    assert (found['conf'], found['plugstack']) == ('/srv/slurm/slurm.conf', '/srv/slurm/plugstack.conf')
    assert found['plugin_directory'] == '/opt/slurm/23.11/lib/slurm'


def test_in_opt_as_a_drop_in_says_beside_the_packages(slurm):
    """systemd takes the last: the package's unit, and its programs, are there still."""
    opt(slurm)
    slurm.remove('/etc/systemd/system/slurmd.service')
    slurm.put(
        '/lib/systemd/system/slurmd.service',
        '[Service]\nEnvironment=SLURM_CONF=/etc/slurm/slurm.conf\nExecStart=/usr/sbin/slurmd --systemd\n',
    )
    slurm.put(
        '/etc/systemd/system/slurmd.service.d/opt.conf',
        '[Service]\nEnvironment=SLURM_CONF=/srv/slurm/slurm.conf\n'
        'ExecStart=\nExecStart=/opt/slurm/23.11/sbin/slurmd -D\n',
    )
    found = observe(slurm)['slurm']
    assert (found['version'], found['bindir']) == ('23.11.4', '/opt/slurm/23.11/bin')
    assert found['conf'] == '/srv/slurm/slurm.conf'


def test_where_all_guessing_ends(node):
    node.put('/site/bin/sbatch', '')
    node.put('/site/bin/squeue', '')
    assert observe(node, submit_only=True)['slurm'] is None
    node.answers['timeout 120 /site/bin/sbatch -V'] = (0, 'slurm 24.05.0-1\n')
    found = observe(node, submit_only=True, bindir='/site/bin')['slurm']
    assert (found['version'], found['bindir'], found['conf']) == ('24.05.0-1', '/site/bin', None)


def test_files_that_plugstack_conf_includes(slurm):
    slurm.put('/etc/slurm/plugstack.conf', 'include plugstack.conf.d/*.conf\ninclude /none\ninclude\n')
    slurm.put('/etc/slurm/plugstack.conf.d/a.conf', 'optional msr_safe.so\ninclude /etc/slurm/plugstack.conf\n')
    slurm.put('/etc/slurm/plugstack.conf.d/a.conf~', 'x')
    slurm.put('/etc/slurm/plugstack.conf.d/old.conf/more.conf', 'x')
    assert list(observe(slurm)['plugstack_includes']) == ['/etc/slurm/plugstack.conf.d/a.conf']


def test_configless(slurm):
    slurm.remove('/etc/slurm/slurm.conf')
    slurm.put('/run/slurm/conf/slurm.conf', 'PrologFlags=Alloc\n')
    found = observe(slurm)['slurm']
    assert (found['configless'], found['plugstack']) == (True, '/run/slurm/conf/plugstack.conf')


@pytest.mark.parametrize(
    ('answer', 'mute'),
    [
        ((124, ''), '/usr/sbin/slurmd -V has not answered within 120 seconds'),
        ((1, 'fatal: no PluginDir\n'), '/usr/sbin/slurmd -V ended with 1: fatal: no PluginDir'),
        ((1, 'slurm 24.05.0 cannot run here\n'), '/usr/sbin/slurmd -V ended with 1: slurm 24.05.0 cannot run here'),
        ((0, ''), '/usr/sbin/slurmd -V ended with 0'),
    ],
)
def test_a_slurmd_that_does_not_say_its_version(slurm, answer, mute):
    slurm.answers['timeout 120 /usr/sbin/slurmd -V'] = answer
    found = observe(slurm)['slurm']
    assert (found['version'], found['mute']) == (None, mute)


@pytest.mark.parametrize(('said', 'loads'), [('--msr-profile=NAME', True), ('nothing', False)])
def test_whether_slurm_loads_the_plugin(slurm, said, loads):
    slurm.put(DEBIAN + '/msr_safe.so', 'binary')
    slurm.put('/usr/bin/sbatch', '')
    slurm.answers['timeout 120 env SLURM_CONF=/etc/slurm/slurm.conf /usr/bin/sbatch --help'] = (0, said)
    assert observe(slurm)['plugin']['loads'] is loads


def test_without_a_command_to_ask_it_is_not_known(slurm):
    slurm.put(DEBIAN + '/msr_safe.so', 'binary')
    assert observe(slurm)['plugin']['loads'] is None


@pytest.mark.parametrize(
    ('maps', 'loaded'),
    [
        ('7f00 r-xp /usr/lib/slurm/msr_safe.so\n', 'current'),
        ('7f00 r-xp /usr/lib/slurm/msr_safe.so (deleted)\n', 'old'),
        ('7f00 r-xp /usr/lib/libc.so\n', 'none'),
        (None, None),
    ],
)
def test_what_the_running_slurmd_has_loaded(slurm, maps, loaded):
    slurm.put('/proc/811/comm', 'slurmd\n')
    if maps:
        slurm.put('/proc/811/maps', maps)
    assert observe(slurm)['slurmd'] == [{'pid': 811, 'unit': '', 'loaded': loaded}]


def test_each_slurmd_of_a_host_is_looked_at(slurm):
    for pid, maps in (('811', 'msr_safe.so'), ('97', 'libc.so')):
        slurm.put('/proc/%s/comm' % pid, 'slurmd\n')
        slurm.put('/proc/%s/maps' % pid, '7f00 r-xp /usr/lib/slurm/%s\n' % maps)
    assert [(each['pid'], each['loaded']) for each in observe(slurm)['slurmd']] == [(811, 'current'), (97, 'none')]


@pytest.mark.parametrize(
    ('cgroup', 'unit'),
    [
        ('0::/system.slice/slurmd.service\n', 'slurmd.service'),
        ('0::/system.slice/system-slurmd.slice/slurmd@n2.service\n', 'slurmd@n2.service'),
        ('5:memory:/x.service\n1:name=systemd:/system.slice/slurmd.service\n0::/\n', 'slurmd.service'),
        ('0::/user.slice/user-0.slice/session-3.scope\n', ''),
        ('0::/system.slice/docker.service/abc\n', ''),
        ('', ''),
    ],
)
def test_the_unit_that_a_slurmd_was_started_by(slurm, cgroup, unit):
    slurm.put('/proc/811/comm', 'slurmd\n')
    slurm.put('/proc/811/cgroup', cgroup)
    assert observe(slurm)['slurmd'][0]['unit'] == unit


def test_a_process_that_ends_meanwhile_is_none(slurm, monkeypatch):
    slurm.put('/proc/811/comm', 'slurmd\n')
    read = slurm.machine.read

    def vanish(path):
        if path == '/proc/811/comm':
            raise MsrSafeError('Cannot read %s: No such process.' % path)
        return read(path)

    monkeypatch.setattr(slurm.machine, 'read', vanish)
    assert observe(slurm)['slurmd'] == []


def test_a_service_that_ran_left_a_link_to_nothing(slurm):
    assert observe(slurm)['service_ran'] is False
    slurm.link('/run/systemd/units/invocation:msr-safe-baseline.service', '863d056a20a3426fbcf2c2de7f871ed1')
    assert observe(slurm)['service_ran'] is True


def test_a_node_without_slurmd_running(slurm):
    assert observe(slurm)['slurmd'] == []


def test_it_changes_nothing_but_asks(slurm):
    observe(slurm)
    assert slurm.ran() == ['timeout 120 /usr/sbin/slurmd -V']


def test_profiles_that_are_there(slurm):
    slurm.put('/etc/msr-safe/profiles/old', '0x10 0x0\n')
    assert observe(slurm)['files']['/etc/msr-safe/profiles/old'] == '0x10 0x0\n'


def test_who_stands_by_is_seen_where_it_listens(slurm):
    assert observe(slurm)['standby'] == {'enabled': False, 'answers': False}
    slurm.put('/etc/systemd/system/multi-user.target.wants/msr-safe-standby.service', '')
    slurm.put('/run/msr-safe/standby', 'a file')
    assert observe(slurm)['standby'] == {'enabled': True, 'answers': False}
    os.unlink(slurm.path('/run/msr-safe/standby'))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(slurm.path('/run/msr-safe/standby'))
        assert observe(slurm)['standby']['answers'] is False
        listener.listen(1)
        assert observe(slurm)['standby']['answers'] is True
    slurm.remove('/etc/systemd/system/multi-user.target.wants/msr-safe-standby.service')
    assert observe(slurm)['standby'] == {'enabled': False, 'answers': False}


def test_who_stands_by_is_waited_for_while_systemd_starts_it_anew(slurm, monkeypatch):
    """It ends where its program was replaced, which the role may just have done."""
    slurm.put('/etc/systemd/system/multi-user.target.wants/msr-safe-standby.service', '')
    slurm.put('/run/systemd/system/a', '')
    slurm.put('/run/msr-safe/jobs/a', '')
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(slurm.path('/run/msr-safe/standby'))
        monkeypatch.setattr(standby.time, 'sleep', lambda _seconds: listener.listen(1))
        assert observe(slurm)['standby'] == {'enabled': True, 'answers': True}


def test_who_does_not_stand_by_is_not_waited_for_for_ever(slurm, monkeypatch):
    slurm.put('/etc/systemd/system/multi-user.target.wants/msr-safe-standby.service', '')
    slurm.put('/run/systemd/system/a', '')
    now = [0]
    monkeypatch.setattr(standby.time, 'monotonic', lambda: now[0])
    monkeypatch.setattr(standby.time, 'sleep', lambda seconds: now.append(now.pop() + seconds))
    assert observe(slurm)['standby'] == {'enabled': True, 'answers': False}


def test_a_host_to_submit_jobs_from_that_does_not_run(slurm):
    """A container, or the root of an image: what runs on the host around it is not looked at."""
    slurm.put('/usr/bin/sbatch', '')
    machine = Machine(slurm.path('/'), run=slurm.machine.run, runs=False)
    observed = observe_slurm_node(machine, True, PLACES)
    assert (observed['service_ran'], observed['standby']['answers'], observed['systemd']) == (False, False, False)


def test_a_command_that_hangs_has_not_said_that_the_plugin_is_not_loaded(slurm):
    slurm.put(DEBIAN + '/msr_safe.so', 'binary')
    slurm.put('/usr/bin/sbatch', '')
    slurm.answers['timeout 120 env SLURM_CONF=/etc/slurm/slurm.conf /usr/bin/sbatch --help'] = (124, '')
    assert observe(slurm)['plugin']['loads'] is None


@pytest.mark.parametrize(
    'start',
    [
        'ExecStart = /opt/slurm/23.11/sbin/slurmd -D -s -f /srv/slurm/slurm.conf',
        'ExecStart="/opt/slurm/23.11/sbin/slurmd" -D -f /srv/slurm/slurm.conf',
        'ExecStart=/usr/bin/numactl -i all /opt/slurm/23.11/sbin/slurmd -D -f /srv/slurm/slurm.conf',
        "ExecStart=/bin/sh -c 'exec /opt/slurm/23.11/sbin/slurmd -D -f /srv/slurm/slurm.conf'",
        'ExecStart=/usr/bin/env A=/opt/x/lib \\\n  /opt/slurm/23.11/sbin/slurmd -D \\\n -f /srv/slurm/slurm.conf',
        'ExecStart=/opt/old/sbin/slurmd\nExecStart=\nExecStart=/opt/slurm/23.11/sbin/slurmd -f /srv/slurm/slurm.conf',
    ],
)
@pytest.mark.parametrize(
    'path',
    [
        '/etc/systemd/system/slurmd.service',
        '/run/systemd/system/slurmd.service',
        '/usr/local/lib/systemd/system/slurmd.service',
        '/usr/lib/systemd/system/slurmd.service.d/site.conf',
        '/run/systemd/system/slurmd.service.d/site.conf',
    ],
)
def test_however_its_unit_starts_it(node, start, path):
    opt(node)
    node.remove('/etc/systemd/system/slurmd.service')
    node.put(path, '[Unit]\nDescription=runs /usr/sbin/slurmd\n[Service]\n%s\n' % start)
    found = observe(node)['slurm']
    assert (found['version'], found['conf']) == ('23.11.4', '/srv/slurm/slurm.conf')


@pytest.mark.parametrize('code', [126, 127])
def test_a_command_that_does_not_run_has_not_said_it_either(slurm, code):
    slurm.put('/usr/bin/sbatch', '')
    slurm.put(DEBIAN + '/msr_safe.so', 'elf')
    said = 'sbatch: error while loading shared libraries: libslurmfull.so'
    slurm.answers['timeout 120 env SLURM_CONF=/etc/slurm/slurm.conf /usr/bin/sbatch --help'] = (code, said)
    assert observe(slurm)['plugin']['loads'] is None
