# SPDX-License-Identifier: GPL-3.0-or-later
"""What fails meanwhile: nodes, disks, builders, the run itself. Nothing stays half done, and the next run completes it.

The tests go in this order, from two nodes without anything to two that are as wanted.
"""

import json
import pathlib

import pytest
import yaml
from steps import run_ansible

SCENARIO = pathlib.Path(__file__).parents[1]
UDEV = '/etc/udev/rules.d/70-msr-safe.rules'

# Where in a first deployment it ends: the moment before this is in its place, or run. In the order of the stages.
MOMENTS = {
    'deliver': '/var/lib/msr-safe/',
    'install': '/updates/msr-safe.ko',
    'install, before depmod': 'depmod',
    'permissions': 'groupadd',
    'permissions, with the group': UDEV,
    'permissions, with the rules': 'udevadm trigger',
    'load': 'modprobe',
    'load, with the module': 'udevadm settle',
    'commands': '/usr/lib/msr-safe/hpc_msr_safe',
    'commands, with the library': '/usr/sbin/msr-safe',
    'approve': '/etc/msr-safe/approved_list',
    'approve, with the list': '/msr-safe.service',
    'boot': 'systemctl daemon-reload',
    'boot, with the unit': 'systemctl restart',
    'boot, with the service': 'systemctl enable',
}

# Every file of ours with its checksum; what is being written beside one begins with a dot
FILES = (
    'find /etc/msr-safe /etc/modprobe.d/msr-safe.conf /etc/udev/rules.d/70-msr-safe.rules /usr/sbin/msr* '
    '/etc/systemd/system/msr-safe.service /lib/modules/$(uname -r)/updates /var/lib/msr-safe /usr/lib/msr-safe '
    '-type f -not -name "*.pyc" 2>/dev/null | xargs -r sha256sum'
)
LEFT_OVER = (
    'find /etc /usr/sbin /usr/lib/msr-safe /lib/modules/$(uname -r)/updates /var/lib/msr-safe '
    '\\( -name ".*msr*" -o -name ".approved_list*" -o -name "build.*[!g]" \\) 2>/dev/null'
)


@pytest.fixture(scope='session')
def four(inventory, tmp_path_factory):
    """The inventory, and two nodes more for which nobody answers."""
    content = yaml.safe_load(pathlib.Path(inventory).read_text())
    for name in ('three', 'four'):
        content.setdefault('all', {}).setdefault('hosts', {})[name] = {'ansible_host': '127.0.0.1', 'ansible_port': 1}
    path = tmp_path_factory.mktemp('inventory') / 'inventory.yml'
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope='session')
def site(four, tmp_path_factory):
    """Run the playbook site on nodes; return (what became of it, its summary)."""

    def run(nodes, *arguments, playbook='site', **variables):
        summary = tmp_path_factory.mktemp('summary') / 'summary.json'
        settings = ['-e', f'@{SCENARIO}/settings.yml', '-e', json.dumps(variables)]
        result = run_ansible(
            ['ansible-playbook', f'hpc.msr_safe.{playbook}', '-i', four, '-l', nodes, *settings, *arguments],
            ANSIBLE_CALLBACKS_ENABLED='hpc.msr_safe.summary',
            ANSIBLE_TIMEOUT='10',
            MSR_SAFE_SUMMARY=str(summary),
        )
        assert 'Traceback' not in result.output, result.output
        return result, json.loads(summary.read_text()) if summary.exists() else None

    return run


def files(ssh, node):
    """Return {path: checksum} of our files on a node."""
    return dict(reversed(line.split(None, 1)) for line in ssh(node, FILES).splitlines())


def registers_approved(ssh, node):
    """Return how many registers the list in force has; 0 without a module."""
    text = ssh(node, 'cat /dev/cpu/msr_approved_list 2>/dev/null || true')
    return sum(line.startswith('0x') for line in text.splitlines())


def outcomes(summary):
    return {name: set(found['nodes']) for name, found in summary['outcomes'].items() if found['nodes']}


def reasons(summary, outcome):
    return {each['range']: each['reason'] for each in summary['reasons'] if each['outcome'] == outcome}


def is_as_wanted(site, nodes):
    """Return whether check mode finds nothing to do on nodes."""
    result, summary = site(nodes, '--check')
    assert result.succeeded, result.output
    return len(summary['outcomes']['as wanted']['nodes']) == summary['nodes']


# One broken node among four, of which two do not answer


def test_broken_and_unreachable_nodes_hold_back_no_other(site, ssh):
    ssh('two', f'ln -s /dev/null {UDEV}')
    result, summary = site('all')
    assert not result.succeeded
    assert outcomes(summary) == {'changed': {'one'}, 'failed': {'two'}, 'unreachable': {'three', 'four'}}
    assert f'{UDEV} is a symbolic link to /dev/null' in reasons(summary, 'failed')['two']
    assert is_as_wanted(site, 'one')
    # On the broken one nothing was touched
    assert files(ssh, 'two') == {}
    assert 'msr_safe' not in ssh('two', 'cat /proc/modules')


def test_the_broken_one_is_mended_and_the_next_run_does_what_is_left(site, ssh):
    ssh('two', f'rm {UDEV}')
    result, summary = site('one,two')
    assert result.succeeded, result.output
    assert outcomes(summary) == {'as wanted': {'one'}, 'changed': {'two'}}


# A run that ends at each stage


@pytest.fixture
def dying(ssh):
    """Have the node's Python die at a moment; the function returns the variables for Ansible."""
    directory = '/root/dying'
    text = (SCENARIO / 'on_node/sitecustomize.py').read_text()
    ssh('one', f"mkdir -p {directory} && cat >{directory}/sitecustomize.py <<'EOF'\n{text}\nEOF")

    def at(moment):
        script = f'#!/bin/sh\nDIE_AT="{moment}" PYTHONPATH={directory} exec /usr/bin/python3 "$@"\n'
        ssh('one', f"cat >{directory}/python3 <<'EOF'\n{script}EOF\nchmod 755 {directory}/python3")
        return {'ansible_python_interpreter': f'{directory}/python3'}

    yield at
    ssh('one', f'rm -r {directory}')


def test_a_run_that_ends_at_any_stage_is_completed_by_the_next(site, ssh, dying):
    before, registers = files(ssh, 'one'), registers_approved(ssh, 'one')
    result, _summary = site('one', playbook='remove')
    assert result.succeeded, result.output
    assert files(ssh, 'one') == {}
    for moment, word in MOMENTS.items():
        result, summary = site('one', **dying(word))
        assert summary['outcomes']['failed']['nodes'] == ['one'], f'{moment}: it did not die. {result.output}'
        # Each file is there whole, or not at all
        there = files(ssh, 'one')
        partial = {path for path, checksum in there.items() if before.get(path, checksum) != checksum}
        assert partial == set(), moment
        # Users have the list that they are to have, or none
        assert registers_approved(ssh, 'one') in (0, registers), moment
    result, summary = site('one')
    assert result.succeeded, result.output
    assert files(ssh, 'one') == before
    assert ssh('one', LEFT_OVER) == ''
    assert (
        ssh('one', 'systemctl is-active msr-safe.service; systemctl is-enabled msr-safe.service') == 'active\nenabled\n'
    )
    assert is_as_wanted(site, 'one')


# A disk that is full


@pytest.mark.parametrize(
    'directory, size',
    [('/lib/modules/$(uname -r)/updates', '8k'), ('/usr/lib/msr-safe', '64k'), ('/etc/msr-safe', '4k')],
)
def test_a_full_disk_leaves_nothing_half_done(site, ssh, directory, size):
    result, _summary = site('two', playbook='remove')
    assert result.succeeded, result.output
    path = ssh('two', f'echo {directory}').strip()
    ssh('two', f'mkdir -p {path} && mount -t tmpfs -o size={size},mode=755 full {path}')
    try:
        result, summary = site('two')
        assert not result.succeeded
        (reason,) = reasons(summary, 'failed').values()
        assert 'No space left on device' in reason
        assert path in reason
        # Nothing is there but what is whole, and no register is open
        assert ssh('two', f'find {path} -type f') == ''
        assert registers_approved(ssh, 'two') == 0
        # Space is all that it needs
        ssh('two', f'mount -o remount,size=64m {path}')
        result, _summary = site('two')
        assert result.succeeded, result.output
        assert ssh('two', LEFT_OVER) == ''
    finally:
        ssh('two', f'umount -l {path}')
    result, _summary = site('two')
    assert result.succeeded, result.output
    assert is_as_wanted(site, 'two')


def test_a_full_disk_leaves_the_list_in_force(site, ssh):
    """A list that cannot be written does not replace the one that users have, nor the file for the boot."""
    before = ssh('two', 'cat /dev/cpu/msr_approved_list'), ssh('two', 'cat /etc/msr-safe/approved_list')
    ssh('two', 'cp -a /etc/msr-safe /root/saved && mount -t tmpfs -o size=48k,mode=755 full /etc/msr-safe')
    try:
        ssh(
            'two',
            'cp -a /root/saved/. /etc/msr-safe && dd if=/dev/zero of=/etc/msr-safe/fill bs=4k 2>/dev/null || true',
        )
        result, summary = site('two', msr_safe_approved_list_tier='monitor')
        assert not result.succeeded
        assert 'No space left on device' in reasons(summary, 'failed')['two']
        after = ssh('two', 'cat /dev/cpu/msr_approved_list'), ssh('two', 'cat /etc/msr-safe/approved_list')
        assert after == before
    finally:
        ssh('two', 'umount -l /etc/msr-safe; rm -r /root/saved')
    assert is_as_wanted(site, 'two')


# A builder that dies while it builds


def test_a_builder_that_dies_is_the_error_of_who_waits_and_the_next_run_builds(site, ssh, tmp_path):
    # Whether make asks for gcc, or for the version that built the kernel: all names are links to one file
    compiler = ssh('two', 'readlink -f /usr/bin/gcc').strip()
    ssh('two', f'rm -rf /var/lib/msr-safe/build; mv {compiler} {compiler}.real')
    # The compiler kills the Python that it works for, then all that is left of the build
    script = (
        '#!/bin/sh\n'
        'pid=$$\n'
        'while [ $pid -gt 1 ]; do\n'
        '    case $(cat /proc/$pid/comm) in python3*) kill -9 $pid; exit 1 ;; esac\n'
        '    pid=$(cut -d" " -f4 /proc/$pid/stat)\n'
        'done\n'
        f'exec {compiler}.real "$@"\n'
    )
    variables = {
        'msr_safe_builder': 'two',
        'msr_safe_builder_become': True,
        'msr_safe_build_directory': '/var/lib/msr-safe/build',
        'msr_safe_artifacts': str(tmp_path),
    }
    result, _summary = site('one', playbook='remove')
    assert result.succeeded, result.output
    try:
        ssh('two', f"cat >{compiler} <<'EOF'\n{script}EOF\nchmod 755 {compiler}")
        result, summary = site('one', **variables)
        assert not result.succeeded
        assert 'The builder two: ' in reasons(summary, 'failed')['one']
        assert files(ssh, 'one') == {}
        assert list(tmp_path.rglob('*.ko')) == []
    finally:
        ssh('two', f'mv {compiler}.real {compiler}')
    result, summary = site('one', **variables)
    assert result.succeeded, result.output
    assert summary['outcomes']['changed']['nodes'] == ['one']
    assert ssh('two', 'find /var/lib/msr-safe/build -name "build.*" -type d') == ''


# A CPU that goes and comes


def test_a_cpu_that_comes_back_has_its_device_with_owner_and_mode(site, ssh):
    ssh('one', 'echo 0 >/sys/devices/system/cpu/cpu1/online && udevadm settle')
    assert ssh('one', 'ls /dev/cpu/1/msr_safe 2>/dev/null || true') == ''
    assert is_as_wanted(site, 'one')
    ssh('one', 'echo 1 >/sys/devices/system/cpu/cpu1/online && udevadm settle')
    assert ssh('one', 'stat -c "%a %U:%G" /dev/cpu/1/msr_safe').strip() == '660 root:msr'
    assert is_as_wanted(site, 'one')
