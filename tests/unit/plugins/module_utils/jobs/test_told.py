# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Jobs of other resource managers, through `msr-job start` and `end`, and OpenPBS's hook, called as PBS does."""

import pathlib
import runpy
import sys
import types

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils import machine as library
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import LIST, MISC_ENABLE, TURBO_OFF
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import parse as parse_list
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_slurm import FakeSlurm

HOOK = pathlib.Path(library.__file__).parents[2] / 'files' / 'pbs' / 'msr_safe.py'
ALICE = ('--uid=1000', '--user=alice')


@pytest.fixture
def command(node):
    slurm = FakeSlurm(node)
    node.machine.run = lambda arguments: pytest.fail('it runs %s' % arguments)
    return slurm.command


def test_a_job_leaves_registers_as_it_found_them(node, command):
    assert command('start', '--job=42.server', *ALICE, '--alone', '--profile=power') == 0
    assert node.active()[MISC_ENABLE] == TURBO_OFF
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert command('end', '--job=42.server') == 0
    assert node.register(MISC_ENABLE) == 0
    assert node.active() == parse_list(LIST)


def test_a_refusal_has_an_exit_status_of_its_own_and_words(command, capsys):
    assert command('start', '--job=42.server', '--uid=1001', '--user=bob', '--profile=power', '--alone') == 3
    assert "the profile 'power' is not for user bob" in capsys.readouterr().out
    assert command('start', '--job=43.server', *ALICE, '--profile=power') == 3
    assert 'need a node of their own' in capsys.readouterr().out


def test_jobs_that_are_not_said_to_be_here_are_undone(node, command):
    command('start', '--job=42.server', *ALICE, '--alone')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert command('start', '--job=43.server', *ALICE, '--alone', '--here=43.server') == 0
    assert node.register(MISC_ENABLE) == 0


@pytest.mark.parametrize('here', [[], ['--here=42.server,43.server']])
def test_jobs_that_may_be_here_are_not(node, command, here):
    command('start', '--job=42.server', *ALICE, '--alone')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    assert command('start', '--job=43.server', *ALICE, '--alone', *here) == 3
    assert node.register(MISC_ENABLE) == TURBO_OFF


@pytest.mark.parametrize('job', ['', '../42', '42/x', 'x', '-1'])
def test_what_names_no_job(command, capsys, job):
    assert command('start', '--job=' + job, *ALICE) == 1
    assert 'do not name a job' in capsys.readouterr().err


def test_a_job_of_nobody(command, capsys):
    assert command('start', '--job=42') == 1
    assert '--uid' in capsys.readouterr().err


def test_a_failure_has_the_exit_status_1(node, command):
    command('start', '--job=42', *ALICE, '--alone')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    node.stuck.add(MISC_ENABLE)
    assert command('end', '--job=42') == 1


# The hook


class Decided(BaseException):
    """PBS ends a hook where it accepts or rejects."""


class Resources(dict):
    """Resources of a job: None where it does not ask for one."""

    def __missing__(self, _name):
        return None


@pytest.fixture
def hook(tmp_path, monkeypatch):
    """Run the hook for an event as MoM does; return what it decided, and its command line."""

    def run(kind, status=0, said='', **resources):
        called = tmp_path / 'called'
        program = tmp_path / 'msr-job'
        program.write_text('#!/bin/sh\nprintf "%%s\\n" "$@" > %s\necho "%s"\nexit %d\n' % (called, said, status))
        program.chmod(0o755)
        decided = []

        def decide(word):
            def function(*arguments):
                decided.append((word, *arguments))
                if word in ('accept', 'reject'):
                    raise Decided

            return function

        job = types.SimpleNamespace(
            id='42.server',
            euser='root',
            queue='work',
            Account_Name=None,
            run_version=2,
            Resource_List=Resources(resources),
            delete=decide('delete'),
            rerun=decide('rerun'),
        )
        vnode = types.SimpleNamespace(state=0, comment=None)
        event = types.SimpleNamespace(
            type=kind, job=job, vnode_list={'n1': vnode}, accept=decide('accept'), reject=decide('reject')
        )
        pbs = types.SimpleNamespace(
            event=lambda: event, EXECJOB_BEGIN=1, EXECJOB_END=2, ND_OFFLINE=1, get_local_nodename=lambda: 'n1'
        )
        monkeypatch.setitem(sys.modules, 'pbs', pbs)
        monkeypatch.setenv('PBS_HOME', str(tmp_path))
        text = HOOK.read_text().replace('/usr/sbin/msr-job', str(program))
        (tmp_path / 'hook.py').write_text(text)
        with pytest.raises(Decided):
            runpy.run_path(str(tmp_path / 'hook.py'))
        return decided, called.read_text().splitlines(), vnode

    (tmp_path / 'mom_priv' / 'jobs').mkdir(parents=True)
    (tmp_path / 'mom_priv' / 'jobs' / '42.server.JB').write_text('')
    return run


def test_the_hook_begins_a_job(hook):
    decided, arguments, vnode = hook(1, place='scatter:exclhost', msr_profile='perf')
    assert arguments == [
        *('start', '--syslog', '--job=42.server', '--here=42.server', '--run=2', '--uid=0', '--user=root'),
        *('--account=', '--partition=work', '--profile=perf', '--alone'),
    ]
    assert (decided, vnode.state) == ([('accept',)], 0)


@pytest.mark.parametrize('place', ['free:shared', 'scatter:excl', 'free:group=exclhost', None])
def test_a_job_that_may_share_its_host_is_not_alone(hook, place):
    """With excl it has its vnodes for itself, of which a host may have several."""
    assert '--alone' not in hook(1, place=place)[1]


def test_a_refused_job_goes_and_the_node_stays(hook):
    decided, _arguments, vnode = hook(1, 3, 'there is no profile nope.')
    assert decided == [('delete',), ('reject', 'msr-safe: there is no profile nope.')]
    assert vnode.state == 0


def test_a_node_that_is_not_ready_goes_and_the_job_runs_elsewhere(hook):
    decided, _arguments, vnode = hook(1, 1, 'not restored: 0x1A0')
    assert decided[0] == ('rerun',)
    assert (vnode.state, vnode.comment) == (1, 'msr-safe: job 42.server: not restored: 0x1A0')


@pytest.mark.parametrize(('status', 'state'), [(0, 0), (1, 1)])
def test_the_hook_ends_a_job(hook, status, state):
    decided, arguments, vnode = hook(2, status)
    assert arguments == ['end', '--syslog', '--job=42.server', '--here=42.server']
    assert (decided, vnode.state) == ([('accept',)], state)
