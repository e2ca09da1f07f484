# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a warning, a complaint, a failure; what the table says of them."""

import pytest
from fleet import mirror
from fleet.errors import FleetError
from matrix import kernels, module, suite
from matrix.report import render
from matrix.trial import Trial

KERNEL = kernels.Kernel('6.1-cloud', 'bookworm', 'cloud-amd64')

REPORT = """\
<testsuites><testsuite>
  <testcase classname="test_nodes" name="test_fine" />
  <testcase classname="test_nodes" name="test_wrong"><failure message="assert 1 == 2">…</failure></testcase>
  <testcase classname="test_nodes" name="test_broken"><error message="no fixture">…</error></testcase>
  <testcase classname="test_compat" name="test_left_out"><skipped message="no cgroup v2">…</skipped></testcase>
</testsuite></testsuites>
"""


def test_a_report_is_read():
    outcome = suite._read_report(REPORT)
    assert outcome.passed == 1
    assert outcome.failed == ['test_nodes.py::test_wrong', 'test_nodes.py::test_broken']
    assert outcome.skipped == {'test_compat.py::test_left_out': 'no cgroup v2'}


@pytest.mark.parametrize(
    'line',
    [
        '[   12.3] WARNING: CPU: 1 PID: 7 at mm/page_alloc.c:5400 __alloc_pages+0x1f/0x340',
        '[   12.3] BUG: KASAN: slab-out-of-bounds in list_write+0x1/0x2 [msr_safe]',
        '[   12.3] WARNING: possible circular locking dependency detected',
        '[   12.3] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
        '[   12.3] INFO: task bash:12 blocked for more than 120 seconds.',
        '[   12.3] refcount_t: underflow; use-after-free.',
        '[   12.3] kmemleak: 2 new suspected memory leaks',
    ],
)
def test_the_kernel_complains(line):
    assert suite.COMPLAINTS.search(line)


@pytest.mark.parametrize(
    'line',
    [
        'msr_safe: loading out-of-tree module taints kernel.',
        'msr_safe: module verification failed: signature and/or required key missing - tainting kernel',
        'msr_safe: approved list: line 1: not a number (error 22), the list in force stays',
        'smpboot: CPU 3 is now offline',
        '9p: Installing v9fs 9p2000 file system support',
        'kmemleak: Kernel memory leak detector initialized (mem pool available: 62324)',
    ],
)
def test_the_kernel_is_content(line):
    assert not suite.COMPLAINTS.search(line)


def test_a_process_killed_for_its_memory_is_no_complaint():
    killed = '[1] cat invoked oom-killer: order=0\n[1] Call Trace:\n[1] Memory cgroup out of memory: Killed process 7\n'
    fault = '[2] general protection fault\n[2] Call Trace:\n[2]  <TASK>\n[2]  </TASK>\n'
    assert suite.complaints(killed) == []
    assert suite.complaints(killed + fault) == ['[2] general protection fault', '[2] Call Trace:']


def test_warnings_of_a_build():
    warnings = ['main.c:7:12: warning: unused variable', 'WARNING: modpost: missing MODULE_LICENSE()']
    other = ['warning: the compiler differs from the one used to build the kernel', '  CC [M]  /kmod/warning.o']
    assert module._warnings('\n'.join([*warnings, *other])) == warnings


def test_a_kernel_comes_from_the_hosts_mirror(monkeypatch):
    monkeypatch.setattr(mirror, 'host_release', lambda: '')
    assert mirror.without_updates('bullseye') == [
        'deb http://deb.debian.org/debian bullseye main',
        'deb http://deb.debian.org/debian-security bullseye-security main',
    ]
    assert mirror.without_updates('sid') == ['deb http://deb.debian.org/debian sid main']


def test_kernels_are_chosen_by_name():
    assert kernels.read_kernels(['6.1-cloud']) == [KERNEL]
    with pytest.raises(FleetError, match=r'no kernel 2\.4; there are 5\.10-cloud, '):
        kernels.read_kernels(['2.4'])


def test_all_that_is_wrong_is_in_the_report():
    trial = Trial(KERNEL, '6.1.0-56', ['main.c:7: warning: x'], suite._read_report(REPORT), None, 125)
    trial.outcome.complaints.append('BUG: y')
    _header, _line, row, _empty, *remarks = render([trial]).splitlines()
    assert [cell.strip() for cell in row.strip('|').split('|')] == ['6.1-cloud', '6.1.0-56', *'112112']
    assert remarks == [
        '- 6.1-cloud: compiler: main.c:7: warning: x',
        '- 6.1-cloud: test_nodes.py::test_wrong failed',
        '- 6.1-cloud: test_nodes.py::test_broken failed',
        '- 6.1-cloud: kernel log: BUG: y',
        '- 6.1-cloud: 1 skipped: no cgroup v2',
    ]


@pytest.mark.parametrize('wrong', ['warnings', 'failed', 'complaints', 'problem'])
def test_nothing_wrong_is_overlooked(wrong):
    trial = Trial(KERNEL)
    assert trial.is_good
    if wrong in ('failed', 'complaints'):
        getattr(trial.outcome, wrong).append('x')
    else:
        setattr(trial, wrong, ['x'])
    assert not trial.is_good
