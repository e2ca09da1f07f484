# SPDX-License-Identifier: GPL-3.0-or-later
"""msr-safe run: turbo is off on every CPU while an ordinary user's command runs, and on again whatever ends it."""

import pytest

testinfra_hosts = ['ssh://skylake']

TURBO_DISABLE = 1 << 38
RUN = '/usr/sbin/msr-safe run --set MISC_ENABLE.TURBO_MODE_DISABLE=on'


@pytest.fixture(autouse=True)
def user_of_the_group(host):
    host.run_expect([0], 'usermod --append --groups msr user')
    host.run_expect([0], 'modprobe msr')


@pytest.fixture
def turbo_is_off(host):
    """A function that asks another program: [is turbo off?] of each CPU."""

    def ask():
        values = host.check_output('rdmsr --all --zero-pad 0x1a0').split()
        assert len(values) == 4
        return [bool(int(value, 16) & TURBO_DISABLE) for value in values]

    assert ask() == [False] * 4
    return ask


def test_turbo_is_off_meanwhile(host, turbo_is_off):
    said = host.run(f"sudo -u user {RUN} --verbose -- sh -c 'sleep 3; exit 7' & sleep 2; rdmsr --all 0x1a0; wait $!")
    assert said.rc == 7
    assert all(int(value, 16) & TURBO_DISABLE for value in said.stdout.split())
    assert 'TURBO_MODE_DISABLE 1' in said.stderr
    assert turbo_is_off() == [False] * 4


@pytest.mark.parametrize(
    'victim',
    [
        'pkill --signal KILL --full "^sleep 301$"',  # the command
        'pkill --signal KILL --full "^/usr/bin/python3 -IS /usr/sbin/msr-safe run"',  # msr-safe itself
        'pkill --signal TERM --full "^/usr/bin/python3 -IS /usr/sbin/msr-safe run"',  # passed on to the command
    ],
)
def test_turbo_is_on_again_whoever_is_killed(host, turbo_is_off, victim):
    host.run_expect([0], f'sudo -u user {RUN} -- sleep 301 >/dev/null 2>&1 & sleep 2')
    assert turbo_is_off() == [True] * 4
    host.run_expect([0], victim)
    host.run_expect([0], 'timeout 10 sh -c "while pgrep --full ^sleep.301; do sleep 0.1; done"')
    assert turbo_is_off() == [False] * 4


def test_what_a_user_may_not_write_does_not_start_the_command(host, turbo_is_off):
    said = host.run(f'sudo -u user {RUN} --set MISC_ENABLE.FAST_STRINGS_ENABLE=off -- touch /tmp/started')
    assert said.rc == 1
    assert 'FAST_STRINGS_ENABLE' in said.stderr and 'cannot be written' in said.stderr
    assert not host.file('/tmp/started').exists
    assert turbo_is_off() == [False] * 4


def test_who_is_not_in_the_group_is_told_so(host):
    said = host.run(f'sudo -u nobody {RUN} -- true')
    assert said.rc == 1
    assert "member of the device's group" in said.stderr
