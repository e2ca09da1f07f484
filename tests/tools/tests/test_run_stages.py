# SPDX-License-Identifier: GPL-3.0-or-later
"""What run_stages.py makes of a Makefile's targets, shows, and keeps in build/logs/last-run."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parent.parent / 'run_stages.py'

MAKEFILE = """\
good:
\t@echo '=== 3 passed, 1 skipped in 2.00s ==='
bad:
\t@seq 200; echo 'what went wrong'; exit 1
slow:
\t@echo ' │ 352.55s call     molecule/x/tests/test_y.py::test_long[ansible://skylake] │'
\t@echo '12.00s setup    test_y.py::test_prepared'
\t@echo '9.00s call     test_y.py::test_quick'
left-out:
\t@echo 'left out: Python 3.6, which this machine lacks'
\t@echo 'test_y.py::test_a[ansible://skylake] SKIPPED (slow: not now)      [ 50%]'
\t@echo 'test_y.py::test_b[ansible://skylake] SKIPPED (slow: not now)      [100%]'
\t@echo '- 6.1-cloud: 2 skipped: no cgroup v2'
waits-for-other:
\t@for i in $$(seq 100); do test ! -e other || exit 0; sleep 0.1; done; exit 1
other:
\t@touch other
lasts:
\t@trap 'sleep 0.5; touch cleaned-up; exit 1' TERM; touch began; for i in $$(seq 600); do sleep 0.1; done
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('MSR_SAFE_BRIEF', raising=False)
    monkeypatch.delenv('MAKEFLAGS', raising=False)
    (tmp_path / 'Makefile').write_text(MAKEFILE)
    return tmp_path


def stages(*words, **environment):
    """Run it; returns its exit code, what it said while stages ran, and its report, each as text."""
    command = [sys.executable, PROGRAM, '--title', 'make test', *words]
    done = subprocess.run(command, env={**os.environ, **environment}, check=False, capture_output=True, text=True)
    assert not done.stderr
    said, begin, report = done.stdout.partition('\nmake test: ')
    return done.returncode, said, begin + report


def results(report):
    """The table's {stage: result}."""
    return dict(re.findall(r'^(\S+) +(passed|FAILED|not run|ended) +\d', report, re.MULTILINE))


def test_all_is_well(project):
    code, said, report = stages('--', 'good', '--', '2', 'other', 'good')
    assert code == 0
    assert results(report) == {'good': 'passed', 'other': 'passed', 'all': 'passed'}
    assert re.search(r'^all +passed +0:0\d +6$', report, re.MULTILINE)
    assert '=== 3 passed, 1 skipped in 2.00s ===' in said
    assert (project / 'build/logs/last-run').read_text() == report[1:]


def test_a_failure_shows_its_last_words_and_how_to_make_only_it(project):
    code, said, report = stages('--', 'good', '--', 'bad', 'good', MSR_SAFE_BRIEF='1', MAKEFLAGS=' -- KERNELS=6.1-rt')
    assert code == 1
    assert results(report) == {'good': 'passed', 'bad': 'FAILED', 'all': 'FAILED'}
    assert 'what went wrong\n' in said
    assert '\n200\n' in said and '\n100\n' not in said
    assert 'Only this stage: MSR_SAFE_BRIEF=1 make bad KERNELS=6.1-rt\n' in said
    assert report.endswith('FAILED:\n  MSR_SAFE_BRIEF=1 make bad KERNELS=6.1-rt\n')


def test_nothing_goes_on_without_the_first_phase(project):
    code, _said, report = stages('--', 'bad', '--', 'good')
    assert code == 1
    assert results(report) == {'bad': 'FAILED', 'good': 'not run', 'all': 'FAILED'}


def test_later_phases_go_on_after_a_failure(project):
    _code, _said, report = stages('--', 'good', '--', 'bad', '--', 'other')
    assert results(report)['other'] == 'passed'


def test_workers_work_side_by_side(project):
    assert stages('--', '2', 'waits-for-other', 'other')[0] == 0


def test_the_slowest_tests_are_named(project):
    report = stages('--', 'slow')[2]
    assert 'test_quick' not in report
    assert re.search(
        r'Tests that took longest:\n'
        r' +353 s  slow: molecule/x/tests/test_y\.py::test_long\[ansible://skylake\]\n'
        r' +12 s  slow: test_y\.py::test_prepared \(setup\)\n',
        report,
    )


def test_what_was_left_out_is_said(project):
    report = stages('--left-out', 'the lanes', '--', 'left-out')[2]
    assert report.endswith(
        'Left out:\n'
        '- left-out: Python 3.6, which this machine lacks\n'
        '- left-out: 2 tests: slow: not now\n'
        '- left-out: 2 tests: no cgroup v2\n'
        '- the lanes\n'
    )


def test_a_log_of_an_earlier_run_counts_for_nothing(project):
    stages('--', 'slow')
    assert 'test_long' not in stages('--', 'bad', '--', 'slow')[2]


def git(*arguments):
    subprocess.run(
        ['git', '-c', 'user.name=x', '-c', 'user.email=x@localhost', *arguments], check=True, stdout=subprocess.PIPE
    )


def test_the_commit_is_named_and_what_is_not_committed(project):
    (project / '.gitignore').write_text('build\n')
    git('init')
    git('add', '.')
    git('commit', '--message=first')
    assert re.match(r'\nmake test: began \d{4}-\d\d-\d\d \d\d:\d\d UTC, of commit [0-9a-f]{7}\n', stages('good')[2])
    (project / 'more').touch()
    assert ' with uncommitted changes\n' in stages('good')[2]


def test_whoever_ends_it_gets_a_report_and_stages_clean_up(project):
    command = [sys.executable, PROGRAM, '--title', 'make test', '--', '2', 'lasts', '--', 'good']
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while not (project / 'began').exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        report = process.communicate(timeout=30)[0]
    assert process.returncode == 128 + signal.SIGTERM
    assert (project / 'cleaned-up').exists()
    assert results(report) == {'lasts': 'ended', 'good': 'not run', 'all': 'FAILED'}
