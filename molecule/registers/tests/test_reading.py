# SPDX-License-Identifier: GPL-3.0-or-later
"""msr_info: registers by name and address, on CPUs by number and by word. The node has two cores of two threads."""

import pytest
from steps import does, predicts, shell, turning_turbo_off

testinfra_hosts = ['ssh://skylake']

NAMES = ('IA32_MISC_ENABLE', '0x1A0', 'misc_enable', '416')
NOT_APPROVED = '0xC0000080'


CPUS = {'all': '0-3', 'one_per_package': '0,2', 'one_per_core': '0,2', '1,3': '1,3'}

BAD_INPUT = [
    ({'registers': ['PKG_POWER_LIMTI']}, ['no register PKG_POWER_LIMTI', 'Did you mean MSR_PKG_POWER_LIMIT']),
    ({'registers': ['0x1A0'], 'cpus': '2-7'}, ['CPU 4-7 is not online', 'Online are 0-3']),
    ({'registers': ['0x1A0'], 'cpus': 'every'}, ["Not a cpulist: 'every'"]),
    ({'registers': ['0xZZ']}, ["'0xZZ' is not a number"]),
]


@pytest.fixture(scope='module')
def readings(on_node):
    """What msr_info reads on CPUs that are meant by each word."""
    return dict(zip(CPUS, on_node(*(predicts('msr_info', registers=['MISC_ENABLE'], cpus=cpus) for cpus in CPUS))))


@pytest.mark.slow
@pytest.mark.parametrize('cpus', CPUS)
def test_reads_on_the_cpus_that_are_meant(readings, cpus):
    register = readings[cpus]['registers']['MISC_ENABLE']
    assert [reading['cpus'] for reading in register['readings']] == [CPUS[cpus]]


@pytest.fixture(scope='module')
def reading(on_node, first_snapshot):
    """What msr_info reads of a register that is otherwise on CPU 2, and what msr-tools do on CPU 0 and 2."""
    _job, answer, values = on_node(
        shell(turning_turbo_off(2)),
        does('msr_info', registers=[*NAMES, NOT_APPROVED]),
        shell('modprobe msr && rdmsr -p 0 0x1A0 && rdmsr -p 2 0x1A0 && msrsave -r /root/snapshot.json >/dev/null'),
    )
    assert answer.succeeded
    return answer['registers'], [int(value, 16) for value in values.split()]


def test_reads_what_others_read(reading):
    registers, values = reading
    register = registers['IA32_MISC_ENABLE']
    assert {each['cpus']: int(each['value'], 16) for each in register['readings']} == {
        '0-1,3': values[0],
        '2': values[1],
    }
    assert [each['fields']['TURBO_MODE_DISABLE']['value'] for each in register['readings']] == [0, 1]


def test_names_and_addresses_are_the_same(reading):
    registers, _values = reading
    assert {registers[name]['name'] for name in NAMES} == {'IA32_MISC_ENABLE'}
    assert all(registers[name]['readings'] == registers['0x1A0']['readings'] for name in NAMES)


def test_what_is_not_approved_is_said(reading):
    registers, _values = reading
    assert registers[NOT_APPROVED]['errors'] == {'not on the active approved list': '0-3'}
    assert registers['0x1A0']['readings']


@pytest.fixture(scope='module')
def refusals(on_node):
    return on_node(*(does('msr_info', **options) for options, _words in BAD_INPUT))


@pytest.mark.slow
@pytest.mark.parametrize('number', range(len(BAD_INPUT)), ids=lambda number: BAD_INPUT[number][1][0])
def test_bad_input_is_named(refusals, number):
    assert not refusals[number].succeeded
    for word in BAD_INPUT[number][1]:
        assert word in refusals[number]['msg']


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
