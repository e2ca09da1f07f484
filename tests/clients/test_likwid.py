# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""LIKWID reads energy and counts instructions through /dev/cpu/N/msr_safe, as a member of the group without root.

On simulated registers of a Skylake-SP: an emulated processor has neither.
"""

import re
import subprocess
import tempfile
from pathlib import Path

import pytest

LISTS = Path('approved_lists')
ACTIVE_LIST = Path('/dev/cpu/msr_approved_list')

# What the counters need beyond the list of the perf tier: docs/kernel-module.md says why
FOR_COUNTERS = {0x3F1: 1 << 63, 0x700: 0xE << 60, 0x701: (1 << 64) - 1}


def as_user(*command):
    """Return what the command prints, run as a member of the group msr.

    Not through a pipe: a likwid-perfctr that fails leaves a stopped process behind, which would hold it open.
    """
    with tempfile.TemporaryFile('w+') as output:
        subprocess.run(['sudo', '--user=user', *command], check=False, stdout=output, stderr=subprocess.STDOUT)
        subprocess.run(['pkill', '--signal=KILL', '--uid=user'], check=False)
        output.seek(0)
        return output.read()


def activate(path, more=None):
    more = more or {}
    lines = [line for line in path.read_text().splitlines() if address_of(line) not in more]
    lines += ['0x%X 0x%X' % entry for entry in more.items()]
    ACTIVE_LIST.write_text('\n'.join(lines) + '\n')


def address_of(line):
    words = line.split('#')[0].split()
    return int(words[0], 0) if words else None


def test_powermeter_knows_the_processor():
    activate(LISTS / 'al_0655')
    output = as_user('likwid-powermeter', '-M', '0', '-i')
    assert 'Intel Skylake SP processor' in output
    assert float(re.search(r'Thermal Spec Power: ([\d.]+) Watt', output)[1]) > 50, output


def test_powermeter_measures_energy():
    activate(LISTS / 'al_0655')
    output = as_user('likwid-powermeter', '-M', '0', '-s', '2s')
    power = float(re.search(r'Domain PKG:.*?Power consumed: ([\d.]+) Watt', output, re.DOTALL)[1])
    assert 50 < power < 200, output


def test_powermeter_is_told_that_it_may_not():
    ACTIVE_LIST.write_text('0x10 0\n')
    assert 'Cannot gather values from MSR_PLATFORM_INFO' in as_user('likwid-powermeter', '-M', '0', '-s', '1s')


def test_perfctr_counts():
    activate(LISTS / 'perf/al_0655', FOR_COUNTERS)
    output = as_user('likwid-perfctr', '-M', '0', '-C', '0', '-g', 'CLOCK', 'sleep', '1')
    counted = re.search(r'INSTR_RETIRED_ANY *\| *FIXC0 *\| *(\d+)', output)
    assert counted and int(counted[1]) > 0, output
    assert 'ERROR' not in output


def test_perfctr_needs_the_pebs_register():
    activate(LISTS / 'perf/al_0655')
    assert 'MSR write operation failed' in as_user('likwid-perfctr', '-M', '0', '-C', '0', '-g', 'CLOCK', 'sleep', '1')


@pytest.fixture
def stock_name(tmp_path):
    """/dev/cpu/0/msr, the name that msr-tools have built in, leads to our device."""
    name = Path('/dev/cpu/0/msr')
    name.touch()
    subprocess.run(['mount', '--bind', '/dev/cpu/0/msr_safe', name], check=True)
    yield
    subprocess.run(['umount', name], check=True)
    name.unlink()


@pytest.mark.usefixtures('stock_name')
def test_rdmsr_and_wrmsr_under_their_own_name():
    activate(LISTS / 'al_0655', {0x1A0: 1 << 38})
    assert as_user('rdmsr', '-p', '0', '0x1a0').strip() == '850089'
    assert as_user('wrmsr', '-p', '0', '0x1a0', '0x4000850089') == ''
    assert as_user('rdmsr', '-p', '0', '0x1a0').strip() == '4000850089'
    assert 'Permission denied' in as_user('rdmsr', '-p', '0', '0xc0000082')
