# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: a clear message, and nothing changed."""

import pytest

# What is refused does not depend on the node, so one of them is enough.
testinfra_hosts = ['ssh://skylake']

SNAPSHOT = '/root/snapshot.json'
LIST = 'al_0655'


@pytest.fixture
def state(host):
    """Return what must not change: the list, the module and the files of the role."""
    return lambda: host.check_output(
        'sha256sum /dev/cpu/msr_approved_list /sys/module/msr_safe/srcversion '
        '/etc/msr-safe/* /etc/modprobe.d/msr-safe.conf'
    )


@pytest.fixture
def refused(state):
    """Assert that a run of Ansible was refused with words in its message and changed nothing."""

    def assert_refused(run, *words):
        before = state()
        result = run()
        assert not result.succeeded, result.output
        assert 'Traceback' not in result.output
        for word in words:
            assert word in result.output
        assert state() == before

    return assert_refused


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('0x10 0x0\nturbo on\n', (':2', "'turbo' is not a number")),
        ('0x10 0x0\n0x10 0x1\n', (':2', '0x00000010 is already on line 1')),
        ('0x10 0x0\n\n0x100000000 0x0\n', (':3', 'wider than 32 bits')),
        ('# 0x10 0x0\n', ('no register',)),
        ('0xC0000082 0xFFFFFFFFFFFFFFFF # LSTAR\n', ('0xC0000082', 'ring 0')),
    ],
)
def test_list_with_an_error(refused, playbook, tmp_path, content, words):
    (tmp_path / LIST).write_text(content)
    refused(lambda: playbook('site', msr_safe_approved_list_directories=[str(tmp_path)]), LIST, *words)


def test_two_lists_for_one_cpu(refused, playbook, tmp_path):
    spellings = ('al_06_55', 'wl_0655')
    for name in spellings:
        (tmp_path / name).write_text('0x10 0x0\n')
    refused(lambda: playbook('site', msr_safe_approved_list_directories=[str(tmp_path)]), *spellings)


@pytest.mark.parametrize('majors', [{'msr_batch': 1}, {'msr_batch': 240, 'msr_safe': 240}, {'msr_batch': 9999}])
def test_major_that_cannot_be_had(refused, playbook, majors):
    refused(lambda: playbook('site', msr_safe_majors=majors), 'Major number', 'msr_batch')


def test_module_in_use(refused, playbook, host):
    holder = host.check_output('sleep 300 < /dev/cpu/0/msr_safe > /dev/null 2>&1 & echo $!')
    try:
        refused(lambda: playbook('remove'), f'sleep (pid {holder})', '/dev/cpu/0/msr_safe')
        settings = {'msr_safe_majors': {'msr_batch': 242}, 'msr_safe_reload': 'now'}
        refused(lambda: playbook('site', **settings), f'sleep (pid {holder})')
    finally:
        host.run(f'kill {holder}')


def test_truncated_snapshot(refused, module, host):
    host.run_expect([0], f'msrsave {SNAPSHOT} && head -c 700 {SNAPSHOT} > /root/truncated.json')
    refused(lambda: module('msr_restore', path='/root/truncated.json'), '/root/truncated.json is damaged')


def test_edited_snapshot(refused, module, host):
    host.run_expect([0], f'msrsave {SNAPSHOT} && sed s/0-/1-/ {SNAPSHOT} > /root/edited.json')
    refused(lambda: module('msr_restore', path='/root/edited.json'), 'was changed after it was saved')


def test_snapshot_of_the_other_cpu(refused, module, host, edit):
    host.run_expect([0], f'msrsave {SNAPSHOT}')
    other = {'vendor': 'AuthenticAMD', 'family': 25, 'model': 1}
    edit(SNAPSHOT, '/root/other.json', lambda content: content['cpu'].update(other))
    refused(
        lambda: module('msr_restore', path='/root/other.json', accept=['edited_file']),
        *('another CPU', LIST, 'AuthenticAMD'),
    )


def test_path_that_cannot_be_written(refused, module):
    refused(lambda: module('msr_save', path='/proc/snapshot.json'), 'Cannot write /proc/snapshot.json')


def test_file_that_is_no_snapshot_is_not_overwritten(refused, module, host):
    refused(lambda: module('msr_save', path='/etc/hostname'), '/etc/hostname', 'not overwritten')


def test_without_root(host, state):
    before = state()
    save = host.run('sudo -u nobody msrsave /tmp/snapshot.json')
    assert save.rc == 1
    assert 'Run as root' in save.stderr
    assert 'Traceback' not in save.stderr
    assert state() == before


def test_headers_are_missing(refused, playbook):
    release = '6.1.0-0-none'
    refused(
        lambda: playbook('site', msr_safe_kernel_release=release, msr_safe_install_packages=False),
        f'no kernel headers for {release}',
        f'linux-headers-{release}',
    )
