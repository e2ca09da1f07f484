# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: a clear message, and nothing changed.

All that is refused is asked for in one run of Ansible. Of each kind one is in the brief run: the others differ in what
the library, a pure function there, finds, which unit tests show.
"""

import json

import pytest
import yaml
from steps import BRIEF, does, role, shell

# What is refused does not depend on the node, so one of them is enough.
testinfra_hosts = ['ssh://skylake']

SNAPSHOT = '/root/snapshot.json'
LIST = 'al_0655'

# What must not change: the list, the module and the files of the role
STATE = (
    'sha256sum /dev/cpu/msr_approved_list /sys/module/msr_safe/srcversion /etc/msr-safe/* /etc/modprobe.d/msr-safe.conf'
)

# In a session of its own: the command's ends with its terminal
HOLD = 'setsid sleep 3000 < /dev/cpu/0/msr_safe > /dev/null 2>&1 & echo $! > /root/holder; sleep 1'

# What the role is given as the site's lists, {file: text}, and the words of its refusal
LISTS = {
    'no_number': ({LIST: '0x10 0x0\nturbo on\n'}, (f'{LIST}:2', "'turbo' is not a number")),
    'twice': ({LIST: '0x10 0x0\n0x10 0x1\n'}, (f'{LIST}:2', '0x00000010 is already on line 1')),
    'too_wide': ({LIST: '0x10 0x0\n\n0x100000000 0x0\n'}, (f'{LIST}:3', 'wider than 32 bits')),
    'comments_only': ({LIST: '# 0x10 0x0\n'}, (LIST, 'no register')),
    'ring_0': ({LIST: '0xC0000082 0xFFFFFFFFFFFFFFFF # LSTAR\n'}, (LIST, '0xC0000082', 'ring 0')),
    'two_for_one_cpu': ({'al_06_55': '0x10 0x0\n', 'wl_0655': '0x10 0x0\n'}, ('al_06_55', 'wl_0655')),
}

MAJORS = {'taken': {'msr_batch': 1}, 'one_for_two': {'msr_batch': 240, 'msr_safe': 240}, 'none': {'msr_batch': 9999}}

RELEASE = '6.1.0-0-none'

SLOW = {'twice', 'too_wide', 'comments_only', 'one_for_two', 'none', 'reload_in_use'}


def each(names):
    return [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in names]


@pytest.fixture(scope='module')
def requests(request, tmp_path_factory):
    """What is asked for: {name: step}."""
    settings = yaml.safe_load((request.path.parent.parent / 'settings.yml').read_text())

    def site(**variables):
        return role(**{**settings, **variables})

    def site_with_lists(lists):
        directory = tmp_path_factory.mktemp('lists')
        for name, text in lists.items():
            (directory / name).write_text(text)
        return site(msr_safe_approved_list_directories=[str(directory)])

    asked = {
        **{name: site_with_lists(lists) for name, (lists, _words) in LISTS.items()},
        **{name: site(msr_safe_majors=majors) for name, majors in MAJORS.items()},
        'headers_are_missing': site(msr_safe_kernel_release=RELEASE, msr_safe_install_packages=False),
        'truncated': does('msr_restore', path='/root/truncated.json'),
        'edited': does('msr_restore', path='/root/edited.json'),
        'other_cpu': does('msr_restore', path='/root/other.json', accept=['edited_file']),
        'no_place': does('msr_save', path='/proc/snapshot.json'),
        'no_snapshot': does('msr_save', path='/etc/hostname'),
        'hold': shell(HOLD),
        'removal_in_use': site(msr_safe_state='absent'),
        'reload_in_use': site(msr_safe_majors={'msr_batch': 242}, msr_safe_reload='now'),
        'release': shell('kill $(cat /root/holder)'),
    }
    return {name: step for name, step in asked.items() if not (BRIEF and name in SLOW)}


@pytest.fixture(scope='module')
def snapshots(host):
    """A snapshot cut short, one that was edited, and one of the other node's CPU."""
    host.run_expect([0], f'msrsave --overwrite {SNAPSHOT} && head -c 700 {SNAPSHOT} > /root/truncated.json')
    host.run_expect([0], f'sed s/0-/1-/ {SNAPSHOT} > /root/edited.json')
    content = json.loads(host.check_output(f'cat {SNAPSHOT}'))
    content['cpu'].update(vendor='AuthenticAMD', family=25, model=1)
    host.run_expect([0], f"cat > /root/other.json <<'EOF'\n{json.dumps(content)}\nEOF")


@pytest.fixture(scope='module')
def answers(requests, snapshots, everywhere):
    """What became of each request: {name: outcome}; and the state before all, and after each."""
    steps = {'state': shell(STATE)}
    for name, step in requests.items():
        steps.update({name: step, f'state after {name}': shell(STATE)})
    return everywhere(nodes='skylake', **steps)['skylake']


@pytest.fixture
def refused(answers):
    """Assert that something was refused with words in its message and changed nothing."""

    def assert_refused(name, *words):
        said = answers[name] if isinstance(answers[name], list) else [answers[name]]
        refusals = [answer for answer in said if not answer.succeeded]
        assert refusals, said
        message = '\n'.join(answer['msg'] for answer in refusals)
        for word in words:
            assert word in message
        assert answers[f'state after {name}'] == answers['state']

    return assert_refused


@pytest.mark.parametrize('name', each(name for name in LISTS if name != 'two_for_one_cpu'))
def test_list_with_an_error(refused, name):
    _lists, words = LISTS[name]
    refused(name, *words)


def test_two_lists_for_one_cpu(refused):
    _lists, words = LISTS['two_for_one_cpu']
    refused('two_for_one_cpu', *words)


@pytest.mark.parametrize('name', each(MAJORS))
def test_major_that_cannot_be_had(refused, name):
    refused(name, 'Major number', 'msr_batch')


@pytest.mark.parametrize('name', each(['removal_in_use', 'reload_in_use']))
def test_module_in_use(refused, host, name):
    holder = host.check_output('cat /root/holder')
    refused(name, f'sleep (pid {holder})', '/dev/cpu/0/msr_safe')


def test_truncated_snapshot(refused):
    refused('truncated', '/root/truncated.json is damaged')


def test_edited_snapshot(refused):
    refused('edited', 'was changed after it was saved')


def test_snapshot_of_the_other_cpu(refused):
    refused('other_cpu', 'another CPU', LIST, 'AuthenticAMD')


def test_path_that_cannot_be_written(refused):
    refused('no_place', 'Cannot write /proc/snapshot.json')


def test_file_that_is_no_snapshot_is_not_overwritten(refused):
    refused('no_snapshot', '/etc/hostname', 'not overwritten')


def test_headers_are_missing(refused):
    refused('headers_are_missing', f'no kernel headers for {RELEASE}', f'linux-headers-{RELEASE}')


def test_without_root(host):
    before = host.check_output(STATE)
    save = host.run('sudo -u nobody msrsave /tmp/snapshot.json')
    assert save.rc == 1
    assert 'Run as root' in save.stderr
    assert 'Traceback' not in save.stderr
    assert host.check_output(STATE) == before
