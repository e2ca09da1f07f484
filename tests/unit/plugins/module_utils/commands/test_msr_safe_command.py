# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import json
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands.msr_safe import main
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
from ansible_collections.hpc.msr_safe.plugins.module_utils.version import VERSION
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import LIST


@pytest.fixture
def msr_safe(node, capsys):
    """A function that runs the command on the node and returns (exit status, stdout, stderr)."""

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main(list(arguments), node.machine)
        except SystemExit as end:  # argparse
            status = end.code
        said = capsys.readouterr()
        assert 'Traceback' not in said.err
        return status, said.out, said.err

    return run


def test_version(msr_safe):
    assert msr_safe('--version') == (0, 'msr-safe %s\n' % VERSION, '')


COMMANDS = ('show', 'diff', 'load', 'clear', 'lint', 'run', 'select')


@pytest.mark.parametrize('arguments', [['--help'], *([command, '--help'] for command in COMMANDS)])
def test_help(msr_safe, arguments):
    status, out, _err = msr_safe(*arguments)
    assert status == 0
    assert out.startswith('usage: msr-safe')


def test_help_has_every_command_and_exit_status(msr_safe):
    _status, out, _err = msr_safe('--help')
    for words in (*COMMANDS, 'exit status', '  0  ', '  1  ', '  2  ', '  3  '):
        assert words in out


@pytest.mark.parametrize(
    'arguments', [['unload'], ['load', 'a', 'b'], ['diff'], ['lint'], ['lint', '--tier', 'all', 'x'], ['clear', 'x']]
)
def test_a_wrong_command_line_is_2(msr_safe, arguments):
    status, out, err = msr_safe(*arguments)
    assert (status, out) == (2, '')
    assert err.startswith('usage: msr-safe')


def test_without_a_command_it_shows_its_help(msr_safe):
    assert msr_safe()[0] == 2


# show


def test_shows_the_active_list_with_names_and_writable_bits(msr_safe):
    assert msr_safe('show') == (
        0,
        'ADDRESS     NAME                       WRITE MASK          KIND           WRITABLE BITS\n'
        '0x000000C1  IA32_PMC0                  0x00000000FFFFFFFF  counter        31:0\n'
        '0x000000CE  MSR_PLATFORM_INFO          read only           configuration\n'
        '0x000001A0  IA32_MISC_ENABLE           0x0000004000000000  configuration  TURBO_MODE_DISABLE\n'
        '0x000001A4  MSR_MISC_FEATURE_CONTROL   0x000000000000000F  configuration  L2_HW_PREFETCHER_DISABLE, '
        'L2_ADJACENT_PREFETCHER_DISABLE, DCU_HW_PREFETCHER_DISABLE, DCU_IP_PREFETCHER_DISABLE\n'
        '0x000001B1  IA32_PACKAGE_THERM_STATUS  0x0000000000000AAA  status         THERMAL_STATUS_LOG, PROCHOT_LOG, '
        'CRITICAL_TEMP_LOG, THERMAL_THRESH_1_LOG, THERMAL_THRESH_2_LOG, POWER_NOTIFICATION_LOG\n'
        '5 registers, 4 writable\n',
        '',
    )


@pytest.mark.parametrize('text', ['MISC_ENABLE', 'ia32_misc_enable', '0x1A0', '416'])
def test_shows_one_register(msr_safe, text):
    status, out, _err = msr_safe('show', text)
    assert (status, len(out.splitlines())) == (0, 3)
    assert '0x000001A0  IA32_MISC_ENABLE' in out


def test_shows_parts_of_fields_and_bits_of_none(node, msr_safe):
    node.activate('0x610 0x8000000001000070')
    assert 'PL1_POWER_LIMIT[6:4], 24, LOCK\n' in msr_safe('show')[1]


@pytest.mark.parametrize(
    'text, words',
    [('PKG_POWER_LIMIT', 'MSR_PKG_POWER_LIMIT (0x610) is not on the active list'), ('PKG_POWR_LIMIT', 'Did you mean')],
)
def test_shows_no_register_that_is_not_there(msr_safe, text, words):
    status, out, err = msr_safe('show', text)
    assert (status, out) == (1, '')
    assert words in err


def test_shows_names_of_the_cpu_where_nothing_else_gives_any(node, msr_safe):
    node.activate('0x620 0x7F7F')
    node.remove('/etc/msr-safe/approved_list')
    assert '0x00000620  MSR_UNCORE_RATIO_LIMIT' in msr_safe('show')[1]


def test_shows_json(msr_safe):
    status, out, _err = msr_safe('show', '--json', 'MISC_ENABLE')
    assert (status, json.loads(out)) == (
        0,
        [
            {
                'address': '0x000001A0',
                'name': 'IA32_MISC_ENABLE',
                'kind': 'configuration',
                'write_mask': '0x0000004000000000',
                'writable_bits': ['TURBO_MODE_DISABLE'],
            }
        ],
    )


def test_what_is_shown_as_a_list_can_be_loaded(node, msr_safe):
    assert msr_safe('show', '--list') == (0, LIST, '')
    node.put('/root/list', LIST)
    node.activate('')
    assert msr_safe('load', '/root/list')[0] == 0
    assert msr_safe('show', '--list') == (0, LIST, '')


# diff


OTHER = '0xCE 0x0\n0x1A0 0x0\n0x1A4 0xF\n0x1B1 0xAAA\n0xC1 0xFFFFFFFF\n0x199 0xFFFF\n'


def test_diff_names_registers_and_bits(node, msr_safe):
    node.put('/root/list', OTHER)
    assert msr_safe('diff', '/root/list') == (
        3,
        'ADDRESS     NAME              ACTIVE              FILE                BITS\n'
        '0x00000199  IA32_PERF_CTL     not listed          0x000000000000FFFF  +7:0 +FREQ\n'
        '0x000001A0  IA32_MISC_ENABLE  0x0000004000000000  read only           -TURBO_MODE_DISABLE\n'
        'different: 2 registers\n',
        '',
    )


def test_diff_in_json(node, msr_safe):
    node.put('/root/list', OTHER)
    status, out, _err = msr_safe('diff', '--json', '/root/list')
    assert (status, json.loads(out)[0]) == (
        3,
        {'address': '0x00000199', 'name': 'IA32_PERF_CTL', 'before': None, 'after': '0x000000000000FFFF'},
    )


def test_diff_of_the_same_list(node, msr_safe):
    node.put('/root/list', LIST)
    assert msr_safe('diff', '/root/list') == (0, 'no difference\n', '')
    assert msr_safe('diff', '--json', '/root/list') == (0, '[]\n', '')


# load and clear


def test_loads_the_list_of_the_node(node, msr_safe):
    node.activate('')
    assert msr_safe('load')[1].startswith('/etc/msr-safe/approved_list: 5 registers approved')
    assert len(node.active()) == 5
    assert msr_safe('load')[1].endswith(', as before\n')


@pytest.mark.parametrize('address', ['0xC0000082', '0x3F1', '0x79'])
def test_a_dangerous_list_is_refused_unless_its_address_is_named(node, msr_safe, address):
    before = node.active()
    node.put('/root/list', '# mine\n%s 0xFFFFFFFFFFFFFFFF\n' % address)
    status, out, err = msr_safe('load', '/root/list')
    assert (status, out) == (1, '')
    assert err.startswith('msr-safe: /root/list would hand out the machine:\n/root/list:2: 0x%08X' % int(address, 16))
    assert node.active() == before
    status, out, err = msr_safe('load', '/root/list', '--allow-unsafe', address)
    assert (status, list(node.active())) == (0, [int(address, 16)])
    assert err.startswith('msr-safe: warning: /root/list:2: ')


def test_at_boot_a_dangerous_list_is_loaded_only_if_it_was_allowed(node, msr_safe):
    node.activate('')
    node.put('/etc/msr-safe/approved_list', '0xC0000082 0x0\n')
    assert msr_safe('load')[0] == 1
    assert node.active() == {}
    node.put('/etc/msr-safe/approved_list', '# Allowed although unsafe: 0xC0000082\n0xC0000082 0x0\n')
    assert msr_safe('load')[0] == 0
    assert node.active() == {0xC0000082: 0}


def test_no_other_list_allows_itself(node, msr_safe):
    node.put('/root/list', '# Allowed although unsafe: 0xC0000082\n0xC0000082 0x0\n')
    assert msr_safe('load', '/root/list')[0] == 1


def test_load_in_json(node, msr_safe):
    node.put('/root/list', OTHER)
    status, out, _err = msr_safe('load', '/root/list', '--json')
    said = json.loads(out)
    assert (status, said['changed'], said['registers'], said['warnings']) == (0, True, 6, [])
    assert [each['name'] for each in said['differences']] == ['IA32_PERF_CTL', 'IA32_MISC_ENABLE']


def test_clears(node, msr_safe):
    assert msr_safe('clear')[1].startswith('cleared: 0 registers approved')
    assert node.active() == {}
    assert json.loads(msr_safe('clear', '--json')[1])['changed'] is False
    assert len(node.get('/etc/msr-safe/approved_list').splitlines()) == 5


def test_loads_a_list(node, msr_safe):
    node.put('/root/list', '0x1A4 0xF # MSR_MISC_FEATURE_CONTROL\n')
    status, out, err = msr_safe('load', '/root/list')
    assert (status, err) == (0, '')
    assert out.startswith('/root/list: 1 register approved (sha256 ')
    assert node.active() == {0x1A4: 0xF}


@pytest.mark.parametrize(
    'content, words',
    [
        ('0x10 0x0\n0x10\n', '/root/list:2: there is no write mask after the address'),
        ('\n0x10 0x0\n0x10 0x1\n', '/root/list:3: register 0x00000010 is already on line 2'),
        ('0x100000000 0x0\n', '/root/list:1: address 0x100000000 is wider than 32 bits'),
        ('# nothing\n', '/root/list: the list has comments but no register'),
        (b'\xff\xfe', '/root/list:1: '),
    ],
)
def test_a_list_that_is_wrong_leaves_the_old_one(node, msr_safe, content, words):
    before = node.active()
    node.put('/root/list', content)
    status, out, err = msr_safe('load', '/root/list')
    assert (status, out) == (1, '')
    assert err.startswith('msr-safe: ' + words)
    assert node.active() == before


@pytest.mark.parametrize('path', ['/none', '/proc', '', '/proc/cpuinfo/x', '/' + 'x' * 300])
def test_no_path_is_a_traceback(msr_safe, path):
    status, out, err = msr_safe('load', path)
    assert (status, out) == (1, '')
    assert err.startswith('msr-safe: ')


def test_a_list_that_the_kernel_refuses(node, msr_safe):
    node.put('/root/list', '0x10 0x0\n')
    node.list_device.refusal = errno.ENOMEM
    status, _out, err = msr_safe('load', '/root/list')
    assert status == 1
    assert 'The list that was active still is' in err


def test_without_root_it_says_so(node, msr_safe, monkeypatch):
    monkeypatch.setattr('os.geteuid', lambda: 1000)
    node.put('/root/list', '0x10 0x0\n')
    node.list_device.refusal = errno.EACCES
    status, _out, err = msr_safe('load', '/root/list')
    assert status == 1
    assert 'Run as root' in err


@pytest.mark.parametrize('arguments', [['show'], ['load', '/root/list'], ['diff', '/root/list'], ['clear'], ['select']])
def test_without_the_module_it_says_what_to_do(node, msr_safe, arguments):
    node.put('/root/list', '0x10 0x0\n')
    node.remove('/dev/cpu/msr_approved_list')
    status, out, err = msr_safe(*arguments)
    assert (status, out) == (1, '')
    assert 'no msr-safe kernel module is loaded' in err


# lint


@pytest.fixture
def lists(tmp_path, monkeypatch):
    """A function that writes lists below the working directory: their names and texts."""
    monkeypatch.chdir(tmp_path)

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
        return sorted(texts)

    return write


@pytest.fixture
def elsewhere(capsys):
    """A function that runs the command where no node is."""

    def run(*arguments):
        status = main(list(arguments), Machine())
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_lint_names_file_and_line(elsewhere, lists):
    lists(al_0655='# mine\n\n0x1A0 0x0\n0xC0000082 0x0\n0x186 0xFFFFFFFF\n', al_191='0x10 x\n', al_1a2='0x10 0x0\n')
    status, out, err = elsewhere('lint', 'al_0655', 'al_191', 'al_1a2', 'none')
    assert (status, err) == (1, '')
    lines = out.splitlines()
    assert lines[0].startswith('al_0655:4: refuse: 0xC0000082 (write mask 0x0000000000000000): EFER')
    assert lines[1].startswith('al_0655:5: warn: 0x00000186 IA32_PERFEVTSEL0 (write mask 0x00000000FFFFFFFF): INT')
    assert lines[3].startswith("al_191:1: error: write mask 'x' is not a number. Write it as")
    assert lines[4] == 'al_1a2: 1 register, nothing found'
    assert lines[5].startswith('none: error: There is no approved list at none.')


def test_lint_of_what_is_well(elsewhere, lists):
    lists(al_0655='0x1A0 0x0\n')
    assert elsewhere('lint', 'al_0655') == (0, 'al_0655: 1 register, nothing found\n', '')
    assert elsewhere('lint', '--json', 'al_0655') == (0, '[]\n', '')


def test_lint_in_json(elsewhere, lists):
    lists(al_0655='0x79 0x1\n', al_191='x\n')
    status, out, _err = elsewhere('lint', '--json', 'al_0655', 'al_191')
    refused, malformed = json.loads(out)
    assert status == 1
    assert (refused['file'], refused['line'], refused['level']) == ('al_0655', 1, 'refuse')
    assert (refused['address'], refused['name']) == ('0x00000079', '')
    assert 'microcode' in refused['message']
    assert (malformed['level'], malformed['line'], malformed['address']) == ('error', 1, None)


def test_lint_of_warnings_is_0_unless_strict(elsewhere, lists):
    lists(al_0655='0x186 0xFFFFFFFF\n')
    assert elsewhere('lint', 'al_0655')[0] == 0
    assert elsewhere('lint', '--strict', 'al_0655')[0] == 1


def test_lint_allows_what_is_named(elsewhere, lists):
    lists(al_0655='0x79 0x1\n')
    status, out, _err = elsewhere('lint', '--allow-unsafe', '0x79', 'al_0655')
    assert status == 0
    assert out.startswith('al_0655:1: warn: ')
    assert elsewhere('lint', '--allow-unsafe', 'microcode', 'al_0655')[0] == 1


def test_lint_knows_tiers_and_shared_nodes(elsewhere, lists):
    lists(al_0655='0x611 0x0\n')
    assert elsewhere('lint', '--strict', 'al_0655')[0] == 0
    assert elsewhere('lint', '--strict', '--tier', 'monitor', 'al_0655')[0] == 1
    assert elsewhere('lint', '--strict', '--shared', 'al_0655')[0] == 1


@pytest.mark.parametrize('cpu, name', [('06_55', 'IA32_PERFEVTSEL0'), ('al_0655', 'IA32_PERFEVTSEL0'), (None, '')])
def test_lint_names_registers_of_the_cpu_that_is_given(elsewhere, lists, cpu, name):
    lists(mine='0x186 0xFFFFFFFF\n')
    _status, out, _err = elsewhere('lint', '--json', 'mine', *(['--cpu', cpu] if cpu else []))
    assert json.loads(out)[0]['name'] == name


def test_a_cpu_that_is_none(elsewhere, lists):
    lists(mine='0x186 0x0\n')
    status, out, err = elsewhere('lint', 'mine', '--cpu', 'skylake')
    assert (status, out) == (1, '')
    assert err.startswith('msr-safe: skylake is not a CPU.')


def test_lint_takes_the_cpu_of_the_name_or_of_the_header(elsewhere, lists):
    lists(al_0655='0x12345 0x1\n', mine='# CPU: GenuineIntel family 6 model 85\n0x12345 0x1\n', al_0655_old='0x690 0\n')
    for name in ('al_0655', 'mine'):
        status, out, _err = elsewhere('lint', name)
        assert (status, 'our table of this CPU does not have it' in out) == (1, True)
    status, out, _err = elsewhere('lint', 'al_0655_old')
    assert (status, 'KASLR' in out) == (1, True)
    assert 'al_0655_old: warn: the name means no CPU' in out


def test_lint_says_what_it_could_not_check(elsewhere, lists):
    lists(mine='0x199 0xFFFF\n', al_0601='0x199 0xFFFF\n')
    assert elsewhere('lint', 'mine') == (
        0,
        'mine: warn: which CPU it is for is not known, '
        'so only what is dangerous on any CPU was looked for. Give --cpu.\n',
        '',
    )
    assert 'al_0601: warn: our table does not have CPU family 6 model 1 (al_061)' in elsewhere('lint', 'al_0601')[1]


def test_lint_reports_all_problems_of_a_file(elsewhere, lists):
    lists(al_0655='0x10\n0x186 0xFFFFFFFF\nx 1\n0x79 0x1\n')
    status, out, _err = elsewhere('lint', 'al_0655')
    assert status == 1
    found = [line.split(': ')[:2] for line in out.splitlines()]
    assert found == [
        ['al_0655:1', 'error'],
        ['al_0655:3', 'error'],
        ['al_0655:2', 'warn'],
        ['al_0655:2', 'warn'],
        ['al_0655:4', 'refuse'],
    ]


INTEL_LIST = '0x10 0\n0x199 0\n0x1A0 0\n0x610 0\n0x611 0\n'


def test_lint_refuses_a_list_whose_header_or_content_contradicts_its_name(elsewhere, lists):
    lists(al_19_1=INTEL_LIST, al_191='# CPU: GenuineIntel family 19 model 1\n0x10 0\n')
    for name in ('al_19_1', 'al_191'):
        status, out, _err = elsewhere('lint', name)
        assert status == 1
        assert '%s: refuse: %s ' % (name, name) in out


# What programs need


def test_lint_says_what_a_program_lacks(elsewhere, lists):
    rapl = '0x606 0\n0x610 0\n0x611 0\n0x614 0\n0x619 0\n'
    lists(al_0655=rapl, al_0655_mended=rapl + '0x639 0\n')
    status, out, _err = elsewhere('lint', '--for', 'papi', 'al_0655')
    assert status == 1
    assert out.splitlines()[0] == (
        'al_0655: papi: rapl: 0x00000639 must be readable: '
        'it ends the program at EACCES, also where the CPU has no such domain'
    )
    status, out, _err = elsewhere('lint', '--for', 'papi', 'al_0655_mended')
    assert (status, out.splitlines()[0]) == (0, 'al_0655_mended: papi: rapl: served')
    said = json.loads(elsewhere('lint', '--json', '--for', 'papi', 'al_0655')[1])
    assert said == [
        {
            'file': 'al_0655',
            'program': 'papi',
            'use': 'rapl',
            'missing': [
                {
                    'address': '0x00000639',
                    'bits': '0x0000000000000000',
                    'why': 'it ends the program at EACCES, also where the CPU has no such domain',
                }
            ],
        }
    ]


def test_lint_for_a_program_asks_for_the_cpu_and_says_how_to_run_it(elsewhere, lists):
    lists(mine='0x10 0\n')
    status, _out, err = elsewhere('lint', '--for', 'likwid', 'mine')
    assert (status, 'which CPU it is for is not known' in err) == (1, True)
    status, out, _err = elsewhere('lint', '--for', 'likwid', '--cpu', '06_55', 'mine')
    assert (status, 'ACCESSMODE=accessdaemon' in out) == (1, True)
    assert elsewhere('lint', '--for', 'ear', '--cpu', '06_55', 'mine')[0] == 0


# The CPU of a list

FOR_MILAN = '# CPU: AuthenticAMD family 25 model 1 (Milan)\n0xC0010015 0x0\n0x10 0x0\n'


def test_a_list_for_another_cpu_is_refused_and_the_active_one_stays(node, msr_safe):
    before = node.get('/dev/cpu/msr_approved_list')
    node.put('/root/list', FOR_MILAN)
    status, out, err = msr_safe('load', '/root/list')
    assert (status, out) == (1, '')
    assert 'AuthenticAMD family 25 model 1' in err
    assert 'Take al_0655' in err
    assert node.get('/dev/cpu/msr_approved_list') == before
    assert msr_safe('load', '--for-this-cpu-anyway', '/root/list')[0] == 0
    assert '0xC0010015' in node.get('/dev/cpu/msr_approved_list')


def test_at_boot_the_list_of_a_disk_that_moved_is_refused(node, msr_safe):
    node.put('/etc/msr-safe/approved_list', FOR_MILAN)
    status, _out, err = msr_safe('load')
    assert status == 1
    assert '/etc/msr-safe/approved_list is for AuthenticAMD family 25 model 1 (al_191), and this CPU is' in err


# Counters and the kernel


def test_load_says_what_a_job_can_do_to_the_watchdog(node, msr_safe):
    node.put('/proc/sys/kernel/nmi_watchdog', '1\n')
    node.put('/sys/bus/event_source/devices/cpu/type', '4\n')
    node.put('/root/list', '0x186 0xFFEDFFFF\n')
    status, _out, err = msr_safe('load', '/root/list')
    assert status == 0
    assert "msr-safe: warning: The kernel's NMI watchdog counts on a performance counter" in err
    node.put('/root/list', '0x186 0x0\n')
    assert 'watchdog' not in msr_safe('load', '/root/list')[2]
    node.put('/proc/sys/kernel/nmi_watchdog', '0\n')
    node.put('/root/list', '0x186 0xFFEDFFFF\n')
    assert 'watchdog' not in msr_safe('load', '/root/list')[2]


def test_load_says_which_counters_the_kernel_counts_with(node, msr_safe):
    node.set_register(0x186, 1 << 22 | 1 << 20)
    node.put('/root/list', '0x186 0xFFEDFFFF\n')
    assert 'count with IA32_PERFEVTSEL0 on CPU 0-3' in msr_safe('load', '/root/list')[2]
    node.set_register(0x186, 1 << 20)
    said = json.loads(msr_safe('load', '--json', '/root/list')[1])
    assert said['warnings'] == []


# select


def test_a_file_for_another_cpu_is_not_selected(elsewhere, lists):
    lists(al_19_1=INTEL_LIST, al_655='0x10 0\n')
    status, out, err = elsewhere('select', '--cpu', '19_01', '.')
    assert (status, out) == (1, '')
    assert 'is not known to have 4' in err
    lists(al_19_1='0x10 0\n')
    assert 'not   ./al_655: its name means no CPU\n' in elsewhere('select', '--cpu', '19_01', '.')[1]


def test_selects_in_directories_and_says_why(elsewhere, lists):
    lists(al_0655='0x1A0 0x0\n', wl_0655='0x1A0 0x0\n', al_19_01='0x10 0x0\n')
    assert elsewhere('select', '--cpu', '06_55', '.') == (
        0,
        './al_0655\nfor   CPU family 6 model 85 (al_0655)\nwhy   its name is al_0655\nover  ./wl_0655\n',
        '',
    )
    os.mkdir('empty')
    status, out, _err = elsewhere('select', '--json', '--cpu', '19_01', 'empty', '.')
    said = json.loads(out)
    assert (status, said['list'], said['path']) == (0, 'al_191', './al_19_01')
    assert said['why'] == 'its name means al_191, and no file is named so exactly; not in empty'


def test_selects_nothing_by_guessing(elsewhere, lists):
    lists(al_0655='0x1A0 0x0\n')
    status, out, err = elsewhere('select', '--cpu', '06_8f', '.')
    assert (status, out) == (1, '')
    assert err.startswith('msr-safe: No approved list for CPU family 6 model 143 (al_068f) in .')
    assert elsewhere('select', '--cpu', '06_8f')[0] == 1
    assert elsewhere('select', '--cpu', '06_55', 'none')[0] == 1


def test_select_says_what_list_the_node_has(node, msr_safe):
    assert msr_safe('select')[1].endswith('why   somebody put it there; it is active\n')
    node.put('/etc/msr-safe/approved_list', '# Source: al_0655 with overrides\n0x10 0x0\n')
    assert msr_safe('select') == (
        0,
        '/etc/msr-safe/approved_list\n'
        'for   GenuineIntel family 6 model 85 (al_0655)\n'
        'why   Ansible put al_0655 with overrides there; another list is active '
        '(msr-safe diff /etc/msr-safe/approved_list)\n',
        '',
    )
    node.remove('/etc/msr-safe/approved_list')
    assert msr_safe('select')[0] == 1
