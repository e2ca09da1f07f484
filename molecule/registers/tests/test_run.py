# SPDX-License-Identifier: GPL-3.0-or-later
"""msr-safe run: turbo is off on every CPU while an ordinary user's command runs, and on again whatever ends it."""

import pytest

testinfra_hosts = ['ssh://skylake']

TURBO_DISABLE = 1 << 38
RUN = '/usr/sbin/msr-safe run --set MISC_ENABLE.TURBO_MODE_DISABLE=on'
# A command that lasts until it is told to go, or is killed
HOLD = "sh -c 'touch /tmp/begun; until [ -e /tmp/go ]; do sleep 0.2; done; exit 7'"
MSR_SAFE = '"^/usr/bin/python3 -IS /usr/sbin/msr-safe run"'
COMMAND = '"^sh -c touch /tmp/begun"'


@pytest.fixture(autouse=True)
def clean(host):
    """Nothing of this file's runs is left, whatever became of the test."""
    host.run_expect([0], 'usermod --append --groups msr user && modprobe msr && rm -f /tmp/begun /tmp/go /tmp/started')
    yield
    host.run(f'pkill --signal KILL --full {COMMAND}; pkill --signal KILL --full {MSR_SAFE}')


@pytest.fixture
def turbo_is_off(host):
    """A function that asks another program: [is turbo off?] of each CPU."""

    def ask():
        lines = host.check_output('rdmsr --all --zero-pad 0x1a0').splitlines()
        values = [line.split()[-1] for line in lines]  # Debian 13's begin with the CPU
        assert len(values) == 4
        return [bool(int(value, 16) & TURBO_DISABLE) for value in values]

    assert ask() == [False] * 4
    return ask


@pytest.fixture
def running(host):
    """A command of an ordinary user runs; a file gets what was said, and the exit status."""
    run = f'sudo -u user {RUN} --verbose -- {HOLD}'
    host.run_expect(
        [0], f'({run}; echo status $?) >/tmp/said 2>&1 & timeout 60 sh -c "until [ -e /tmp/begun ]; do sleep 0.1; done"'
    )
    yield
    host.run_expect([0], 'touch /tmp/go; timeout 60 sh -c "until grep -q ^status /tmp/said; do sleep 0.1; done"')


def ended(host):
    """Wait until both are gone; return what they said."""
    gone = f'while pgrep --full {COMMAND} || pgrep --full {MSR_SAFE}; do sleep 0.1; done'
    host.run_expect([0], f"timeout 60 sh -c '{gone}' >/dev/null")
    return host.check_output('timeout 60 sh -c "until grep ^status /tmp/said; do sleep 0.1; done" >&2; cat /tmp/said')


def test_turbo_is_off_meanwhile(host, turbo_is_off, running):
    assert turbo_is_off() == [True] * 4
    host.run_expect([0], 'touch /tmp/go')
    said = ended(host)
    assert 'TURBO_MODE_DISABLE 1' in said and 'status 7' in said
    assert turbo_is_off() == [False] * 4


@pytest.mark.parametrize('victim', [f'KILL --full {COMMAND}', f'KILL --full {MSR_SAFE}', f'TERM --full {MSR_SAFE}'])
def test_turbo_is_on_again_whoever_is_killed(host, turbo_is_off, running, victim):
    assert turbo_is_off() == [True] * 4
    host.run_expect([0], f'pkill --signal {victim}')
    assert 'status 1' in ended(host)  # 128 and the signal's number
    assert turbo_is_off() == [False] * 4


def test_what_a_user_may_not_write_does_not_start_the_command(host, turbo_is_off):
    said = host.run(f'sudo -u user {RUN} --set MISC_ENABLE.FAST_STRINGS_ENABLE=off -- touch /tmp/started')
    assert said.rc == 125
    assert 'FAST_STRINGS_ENABLE' in said.stderr and 'cannot be written' in said.stderr
    assert not host.file('/tmp/started').exists
    assert turbo_is_off() == [False] * 4


@pytest.mark.parametrize('command, status', [('/no/such', 127), ('frobnicate', 127), ('/etc/passwd', 126), ('/', 126)])
def test_a_command_that_cannot_be_executed_ends_as_with_env(host, turbo_is_off, command, status):
    assert host.run(f'env {command}').rc == status
    assert host.run(f'sudo -u user {RUN} -- {command}').rc == status
    assert turbo_is_off() == [False] * 4


def test_runs_at_once_with_other_bits_of_one_register_are_not_in_the_way(host):
    one = 'sudo -u user /usr/sbin/msr-safe run --set 0x1A4=$bit/$bit -- true'
    loop = f'for bit in 1 2 4 8; do for time in $(seq 5); do {one} || echo failed; done & done; wait'
    assert host.check_output(f"bash -c '{loop}' 2>&1") == ''


def test_who_is_not_in_the_group_is_told_so(host):
    said = host.run(f'sudo -u nobody {RUN} -- true')
    assert said.rc == 125
    assert "member of the device's group" in said.stderr
