# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy on three nodes, and what an audit finds where somebody, or something, has undone it."""

import json
import pathlib
import time

import pytest
import yaml
from steps import run_ansible

SCENARIO = pathlib.Path(__file__).parents[1]
NODES = ('one', 'two', 'three')
TURBO_OFF = 1 << 38
PATIENCE = 240  # seconds
POLICY = 'IA32_MISC_ENABLE: TURBO_MODE_DISABLE 1 -> 0'


@pytest.fixture(scope='session')
def with_a_node_that_is_down(inventory, tmp_path_factory):
    """The inventory and one node more, that nobody answers for."""
    content = yaml.safe_load(pathlib.Path(inventory).read_text())
    path = tmp_path_factory.mktemp('inventory') / 'inventory.yml'
    gone = {'ansible_host': '127.0.0.1', 'ansible_port': 1}
    content.setdefault('all', {}).setdefault('hosts', {})['gone'] = gone
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope='session')
def audit(inventory, tmp_path_factory):
    """Run the playbook audit on nodes; return what it said, [(category, nodes, text)] and where its results are."""
    directory = tmp_path_factory.mktemp('audit')

    def run(nodes='all', inventory=inventory, **variables):
        variables['msr_audit_directory'] = str(directory)
        settings = ['-e', f'@{SCENARIO}/settings.yml', '-e', json.dumps(variables)]
        result = run_ansible(['ansible-playbook', 'hpc.msr_safe.audit', '-i', inventory, '-l', nodes, *settings])
        content = json.loads((directory / 'findings.json').read_text())
        found = [(each['category'], each['nodes'], each['text']) for each in content['findings']]
        return result, found, directory

    return run


def misc_enable(ssh, node, cpu):
    """Read the register through the kernel's own driver, not one of ours."""
    return int(ssh(node, f'modprobe msr && rdmsr -p {cpu} 0x1a0'), 16)


def test_the_role_has_made_registers_hold_it_without_letting_users(ssh):
    for node in NODES:
        assert all(misc_enable(ssh, node, cpu) & TURBO_OFF for cpu in (0, 1))
        assert 'MISC_ENABLE' not in ' '.join(
            line for line in ssh(node, 'msr-safe show').splitlines() if 'read only' not in line
        )
        assert json.loads(ssh(node, 'cat /etc/msr-safe/policy.json'))['policy'] == [
            {'control': 'turbo', 'value': False}
        ]
        assert ssh(node, 'msr-safe policy') == 'The registers hold the policy.\n'


def lists_replaced(ssh, node):
    """Return how often the approved list of a node was replaced, as its kernel logged it."""
    return ssh(node, 'dmesg').count('approved list: ')


def test_no_list_is_opened_for_the_policy_or_the_audit(ssh, audit):
    """Not for its reading, its writing or its reading back: the kernel would have logged it."""
    before = lists_replaced(ssh, 'two')
    shown = ssh('two', 'cat /dev/cpu/msr_approved_list')
    ssh('two', f'wrmsr -p 1 0x1a0 {misc_enable(ssh, "two", 1) & ~TURBO_OFF:#x}')
    assert 'TURBO_MODE_DISABLE' in ssh('two', 'msr-safe policy || test $? = 3')
    audit('two')
    ssh('two', 'msr-safe policy apply')
    assert misc_enable(ssh, 'two', 1) & TURBO_OFF
    assert lists_replaced(ssh, 'two') == before
    assert ssh('two', 'cat /dev/cpu/msr_approved_list') == shown
    assert "an operator's writes: 1, whatever the list, by msr-policy" in ssh('two', 'dmesg')


def test_a_clean_fleet_has_no_finding_twice_in_a_row(audit):
    for _time in range(2):
        result, found, directory = audit()
        assert result.succeeded, result.output
        assert found == []
        assert not (directory / 'drifted').exists()
    assert len(list((directory / 'runs').iterdir())) >= 2


def test_what_drifted_is_found_ranked_and_brought_back(audit, ssh, playbook_on, with_a_node_that_is_down):
    # As root: another list, and turbo on one CPU of it; the other node without the module
    ssh('two', 'printf "0x1A0 0x4000000000\\n0x10 0x0\\n" >/root/list && msr-safe load /root/list')
    value = misc_enable(ssh, 'two', 1) & ~TURBO_OFF
    ssh('two', f'wrmsr -p 1 0x1a0 {value:#x}')
    ssh('one', 'systemctl stop msr-safe; rmmod msr_safe')
    result, found, directory = audit(inventory=with_a_node_that_is_down)
    assert not result.succeeded
    assert [(category, nodes) for category, nodes, _text in found[:3]] == [
        ('unreachable', 'gone'),
        ('missing', 'one'),
        ('list', 'two'),
    ]
    assert ('power', 'two', POLICY + ' on CPU 1') in found
    assert (directory / 'drifted').read_text() == 'one\ntwo\n'
    assert 'hpc.msr_safe.site' in result.output and f'--limit @{directory}/drifted' in result.output
    assert 'id="data"' in (directory / 'index.html').read_text()

    limit = f'@{directory}/drifted'
    prediction = playbook_on(limit, SCENARIO, 'site', '--check', '--diff')
    assert prediction.succeeded, prediction.output
    assert 'TURBO_MODE_DISABLE' in prediction.output
    assert playbook_on(limit, SCENARIO, 'site').succeeded
    result, found, _directory = audit()
    assert result.succeeded and found == [], result.output
    assert all(misc_enable(ssh, node, cpu) & TURBO_OFF for node in NODES for cpu in (0, 1))


@pytest.fixture
def behind(ssh):
    """Node three says that it runs an older kernel, with a module of the role."""
    older, release = '6.1.0-9-amd64', '/proc/sys/kernel/osrelease'
    path = f'/lib/modules/{older}/updates'
    ssh('three', f'mkdir -p {path} && cp /lib/modules/$(uname -r)/updates/msr-safe.ko {path}')
    ssh('three', f'echo {older} >/root/release && mount --bind /root/release {release}')
    yield older
    ssh('three', f'umount {release} && rm -r /lib/modules/{older}')


@pytest.mark.slow
def test_a_kernel_that_is_behind_is_found_and_is_not_for_the_role(audit, ssh, behind):
    newer = ssh('one', 'uname -r').strip()
    result, found, directory = audit()
    assert found == [('other', 'three', f'kernel: {newer} -> {behind}')]
    assert result.succeeded, result.output
    assert not (directory / 'drifted').exists()
    assert 'update those nodes' in ' '.join(result.output.split())


@pytest.fixture
def driven(ssh):
    """The kernel of node three has a driver that owns turbo, as far as /sys says."""
    cpu = '/sys/devices/system/cpu/cpu0'
    ssh('three', f'mkdir -p /root/cpu0/cpufreq && cp -r {cpu}/topology /root/cpu0/')
    ssh('three', 'echo acpi-cpufreq >/root/cpu0/cpufreq/scaling_driver')
    ssh('three', f'mount --bind /root/cpu0 {cpu}')
    yield
    ssh('three', f'umount {cpu}; rm -r /root/cpu0; msr-safe policy apply')


@pytest.mark.slow
def test_a_register_that_the_kernel_owns_is_said_and_not_written(audit, ssh, driven):
    value = misc_enable(ssh, 'three', 0)
    ssh('three', f'wrmsr -p 0 0x1a0 {value & ~TURBO_OFF:#x}')
    assert "the kernel's driver acpi-cpufreq owns IA32_MISC_ENABLE" in ssh('three', 'msr-safe policy apply')
    assert not misc_enable(ssh, 'three', 0) & TURBO_OFF
    result, found, _directory = audit()
    assert ('power', 'three', 'frequency driver: none -> acpi-cpufreq') in found
    assert ('power', 'three', POLICY + ' on CPU 0') in found  # unlike the others; no policy is at fault
    assert 'acpi-cpufreq owns' in ' '.join(result.output.split())


@pytest.fixture
def busy(ssh):
    """A job of the role slurm is on node one, as far as the records say."""
    record = r'run=\nnode=one\nuid=1000\nprofile=\nwrites=False\nbegan=1.0\n'
    ssh('one', 'mkdir -m 755 -p /run/msr-safe && mkdir -m 700 -p /run/msr-safe/jobs/42')
    ssh('one', f"chmod 700 /run/msr-safe/jobs && printf '{record}' >/run/msr-safe/jobs/42/job")
    yield
    ssh('one', 'rm -rf /run/msr-safe/jobs')


@pytest.mark.slow
def test_what_the_role_deferred_is_said_with_its_reason_until_it_is_done(audit, ssh, playbook_on, busy):
    for _time in range(2):
        result = playbook_on('one', SCENARIO, 'site', msr_safe_approved_list_tier='shared')
        assert result.succeeded and 'changed=0' in result.output, result.output
    result, found, directory = audit()
    (text,) = [text for category, nodes, text in found if category == 'deferred' and nodes == 'one' and 'activ' in text]
    assert text.startswith('deferred since 20') and ' (job 42 is on the node' in text
    assert 'one\n' in (directory / 'drifted').read_text()
    ssh('one', 'rm -r /run/msr-safe/jobs/42')
    for tier in ('shared', 'monitor'):
        assert playbook_on('one', SCENARIO, 'site', msr_safe_approved_list_tier=tier).succeeded
    result, found, _directory = audit()
    assert result.succeeded and found == [], result.output


@pytest.mark.slow
def test_the_boot_keeps_it(ssh, audit):
    before = boot_id(ssh, 'two')
    ssh('two', 'systemd-run --on-active=1 systemctl reboot')
    deadline = time.monotonic() + PATIENCE
    while boot_id(ssh, 'two') in (None, before):
        assert time.monotonic() < deadline, f'it did not come back within {PATIENCE} s'
        time.sleep(1)
    ssh('two', 'systemctl is-system-running --wait || true')
    assert all(misc_enable(ssh, 'two', cpu) & TURBO_OFF for cpu in (0, 1))
    result, found, _directory = audit()
    assert result.succeeded and found == [], result.output


def boot_id(ssh, node):
    """Return which boot of a node this is, or None while the node does not answer."""
    try:
        return ssh(node, 'cat /proc/sys/kernel/random/boot_id')
    except RuntimeError:
        return None
