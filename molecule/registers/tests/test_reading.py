# SPDX-License-Identifier: GPL-3.0-or-later
"""msr_info: registers by name and address, on CPUs by number and by word. The node has two cores of two threads."""

import pytest

testinfra_hosts = ['ssh://skylake']


@pytest.mark.slow
@pytest.mark.parametrize(
    ('cpus', 'which'), [('all', '0-3'), ('one_per_package', '0,2'), ('one_per_core', '0,2'), ('1,3', '1,3')]
)
def test_reads_on_the_cpus_that_are_meant(predicted, cpus, which):
    answer = predicted('msr_info', registers=['MISC_ENABLE'], cpus=cpus)
    assert [reading['cpus'] for reading in answer['registers']['MISC_ENABLE']['readings']] == [which]


def test_reads_what_others_read(call, rdmsr, turbo_off, snapshot):
    turbo_off(2)
    register = call('msr_info', registers=['IA32_MISC_ENABLE'])['registers']['IA32_MISC_ENABLE']
    assert {reading['cpus']: int(reading['value'], 16) for reading in register['readings']} == {
        '0-1,3': rdmsr(0),
        '2': rdmsr(2),
    }
    assert [reading['fields']['TURBO_MODE_DISABLE']['value'] for reading in register['readings']] == [0, 1]


def test_names_and_addresses_are_the_same(call):
    registers = call('msr_info', registers=['0x1A0', 'misc_enable', '416'])['registers']
    assert {register['name'] for register in registers.values()} == {'IA32_MISC_ENABLE'}


def test_what_is_not_approved_is_said(call):
    answer = call('msr_info', registers=['0xC0000080', 'MISC_ENABLE'])
    assert answer['registers']['0xC0000080']['errors'] == {'not on the active approved list': '0-3'}
    assert answer['registers']['MISC_ENABLE']['readings']


@pytest.mark.slow
@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'registers': ['PKG_POWER_LIMTI']}, ['no register PKG_POWER_LIMTI', 'Did you mean MSR_PKG_POWER_LIMIT']),
        ({'registers': ['0x1A0'], 'cpus': '2-7'}, ['CPU 4-7 is not online', 'Online are 0-3']),
        ({'registers': ['0x1A0'], 'cpus': 'every'}, ["Not a cpulist: 'every'"]),
        ({'registers': ['0xZZ']}, ["'0xZZ' is not a number"]),
    ],
)
def test_bad_input_is_named(call, options, words):
    answer = call('msr_info', **options)
    assert not answer.succeeded
    for word in words:
        assert word in answer['msg']


def test_it_is_one_ioctl(host):
    """As the library runs on the node."""
    script = (
        "import sys; sys.path.insert(0, '/usr/lib/msr-safe'); "
        'from hpc_msr_safe.machine import Machine; from hpc_msr_safe.hardware.cpu import read_cpu; '
        'from hpc_msr_safe.settings.definitions import known_registers; '
        'from hpc_msr_safe.settings.interpretation import interpret_registers as look; '
        "m = Machine(); print(look(m, ['MISC_ENABLE', 'PLATFORM_INFO'], [0, 3], known_registers(m, [], read_cpu(m))))"
    )
    trace = host.run(f'strace -f -e trace=ioctl python3 -c "{script}" 2>&1')
    assert trace.rc == 0, trace.stdout
    assert trace.stdout.lower().count('0xa2') == 1, trace.stdout
