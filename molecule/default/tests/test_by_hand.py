# SPDX-License-Identifier: GPL-3.0-or-later
"""Each command of "Coming from msr-safe by hand", run as the page has it, from a plain node to the role."""

import pathlib
import re
import shlex
import subprocess

import pytest

testinfra_hosts = ['ssh://milan']

ROOT = pathlib.Path(__file__).parents[3]
PAGE = ROOT / 'docs/coming-from-msr-safe.md'
COPY = '/root/hpc.msr_safe'
COPIED = ('files/kmod', 'approved_lists', 'plugins/module_utils/version.py')
UDEV = '/etc/udev/rules.d/70-msr-safe.rules'


def commands_of(page):
    """Return {chapter: [(user, command, what it prints)]} of the page's consoles."""
    chapters = {}
    for title, chapter in re.findall(r'^## (.+?)\n(.*?)(?=^## |\Z)', page, re.M | re.S):
        chapters[title] = [
            ('root' if prompt == '#' else 'user', command, printed.splitlines())
            for console in re.findall(r'^```console\n(.*?)^```', chapter, re.M | re.S)
            for prompt, command, printed in re.findall(r'^([#$]) (.+)\n((?:(?![#$] ).*\n)*)', console, re.M)
        ]
    return chapters


def is_as_printed(expected, lines):
    """Whether lines are as a page has them: `…` in a line is anything, and alone any number of lines."""
    if not expected:
        return not lines
    if expected[0] == '…':
        return any(is_as_printed(expected[1:], lines[count:]) for count in range(len(lines) + 1))
    pattern = '.*'.join(map(re.escape, expected[0].split('…')))
    return bool(lines) and re.fullmatch(pattern, lines[0]) is not None and is_as_printed(expected[1:], lines[1:])


def may_fail(expected):
    """A command may fail where the page shows its error."""
    is_error = re.compile(r'(bash|sh|head|rdmsr|msrsave): |PermissionError: ')
    return any(is_error.match(line) for line in expected)


@pytest.fixture(scope='module')
def run(host):
    """Run commands of the page; return those that do something else, with what they print."""

    def run_commands(commands):
        return [said for said in (unlike(*each) for each in commands) if said]

    def unlike(user, command, expected):
        # As user in a place that it may read
        place, become = (COPY, '') if user == 'root' else ('/', 'sudo -u user ')
        done = host.run(f'cd {place} && {become}env LC_ALL=C bash -c {shlex.quote(command)} 2>&1')
        lines = done.stdout.splitlines()
        as_shown = (done.rc == 0 or may_fail(expected)) and is_as_printed(expected, lines)
        return None if as_shown else f'{command} (exit {done.rc}):\n{done.stdout}'

    return run_commands


@pytest.fixture(scope='module')
def plain(host, request, tmp_path_factory):
    """A node without what the role does at boot; the collection's directory is on it, to build from."""
    archive = tmp_path_factory.mktemp('copy') / 'copy.tar'
    subprocess.run(['tar', '--create', f'--file={archive}', f'--directory={ROOT}', *COPIED], check=True)
    with archive.open('rb') as stream:
        ssh = ['ssh', '-F', request.config.getoption('--ssh-config'), 'milan']
        subprocess.run([*ssh, f'mkdir -p {COPY} && tar --extract --directory={COPY}'], stdin=stream, check=True)
    host.run_expect([0], f'rmmod msr_safe && mv {UDEV} /root/rules && udevadm control --reload')
    host.run_expect([0], 'usermod --append --groups msr user && dmesg --clear')
    yield
    host.run_expect([0], f'rm -rf {COPY} /root/rules; rmmod msr; rm -f /root/before.json /root/old.save')


@pytest.mark.slow
def test_each_command_does_what_the_page_shows(host, run, plain, playbook):
    chapters = commands_of(PAGE.read_text())
    by_hand, by_role = ('By hand, with this module', 'Who may open a device'), 'Let the role do it'
    assert [len(chapters[title]) for title in (*by_hand, by_role)] == [19, 6, 13]
    unlike = [said for title in by_hand for said in run(chapters[title])]
    removal, rest = chapters[by_role][:2], chapters[by_role][2:]
    unlike += run(removal)
    applied = playbook('site')
    assert applied.succeeded, applied.output
    host.run_expect([0], 'udevadm settle')
    unlike += run(rest)
    assert not unlike, '\n'.join(unlike)
    again = playbook('site')
    assert again.succeeded and again.changed('milan') == 0, again.output
