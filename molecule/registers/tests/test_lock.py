# SPDX-License-Identifier: GPL-3.0-or-later
"""One at a time; and whatever is killed at whatever moment, the snapshot is whole and a second restore completes.

MSR_SAFE_KILLS=40 for the long way.
"""

import os
import pathlib

import pytest
from steps import does

testinfra_hosts = ['ssh://skylake']

KILLS = os.environ.get('MSR_SAFE_KILLS', '10')


@pytest.fixture
def holder(host):
    """A process that holds the node's lock; its number."""
    script = (
        'import fcntl, time; device = open(\\"/dev/cpu/msr_approved_list\\"); fcntl.flock(device, 2); time.sleep(90)'
    )
    pid = host.check_output(f'python3 -c "{script}" >/dev/null 2>&1 & echo $!')
    host.run_expect([0], f'until grep -qw {pid} /proc/locks; do sleep 0.1; done')
    yield pid
    host.run(f'kill {pid}')


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('msr_restore', {'path': '/root/snapshot.json'}),
        pytest.param('msr_save', {'path': '/root/locked.json'}, marks=pytest.mark.slow),
        pytest.param(
            'msr', {'register': 'MISC_ENABLE', 'field': 'TURBO_MODE_DISABLE', 'value': 1}, marks=pytest.mark.slow
        ),
    ],
)
def test_who_holds_the_lock_is_named(on_node, host, snapshot, holder, name, options):
    try:
        answer = on_node(does(name, **options, lock_timeout=1))
        assert not answer.succeeded
        assert f'python3 (pid {holder}) holds the lock, for more than 1 s now' in answer['msg']
        assert not host.file('/root/locked.json').exists
    finally:
        host.run(f'kill {holder}')


def test_the_command_waits_for_its_turn(host, snapshot, holder):
    said = host.run(f'msrsave -r --lock-timeout 0.5 {snapshot}')
    assert said.rc == 1
    assert f'python3 (pid {holder}) holds the lock' in said.stderr
    host.run_expect([0], f'(sleep 2; kill {holder}) & msrsave -r {snapshot}')


@pytest.mark.slow
def test_a_module_is_found_by_its_name(on_node, host, snapshot, holder):
    """While it waits it has the lock's device open, and ps shows it under the name that others are told."""
    script = f'until grep -lx msr_restore /proc/[0-9]*/comm >/root/found; do sleep 0.1; done; kill {holder}'
    host.run_expect([0], f"systemd-run --quiet bash -c '{script}'")
    assert on_node(does('msr_restore', path=snapshot)).succeeded
    assert '/comm' in host.file('/root/found').content_string


def test_killed_at_any_moment(host, snapshot, put):
    put('/root/kill_points.py', (pathlib.Path(__file__).parent.parent / 'on_node' / 'kill_points.py').read_text())
    run = host.run(f'python3 /root/kill_points.py {KILLS}')
    assert run.rc == 0, run.stdout + run.stderr
    assert 'killed' in run.stdout
