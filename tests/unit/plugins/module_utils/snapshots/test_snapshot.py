# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import copy
import errno
import json
import re

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.access.reading import Reading
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.active import read_named_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import digest_list, parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.cpu import read_cpu
from ansible_collections.hpc.msr_safe.plugins.module_utils.snapshots.snapshot import (
    build_snapshot,
    checksum,
    describe_node,
    parse_snapshot,
    render_snapshot,
    same_content,
    snapshot_values,
    summarize_unreadable,
)

LIST = '0x1A0 0x4000000000 # IA32_MISC_ENABLE\n0xC1 0xFF # IA32_PMC0 (counter)\n0xCE 0x0\n'
CPUS = [0, 1, 2, 3, 4]
READINGS = {
    0x1A0: Reading({0x850089: [0, 1, 4], 0x4000850089: [2]}, {errno.EIO: [3]}),
    0xC1: Reading({(1 << 64) - 1: CPUS}, {}),
}
FAULT = 'the processor faulted: it has no such register, or refuses the value'


@pytest.fixture
def snapshot(node):
    """A snapshot of LIST with READINGS, as it was built."""
    entries = parse_list(LIST, 'list')
    return build_snapshot(describe_node(node.machine, read_cpu(node.machine)), entries, CPUS, READINGS)


@pytest.fixture
def saved(snapshot):
    """The same as it is in a file, as data."""
    return json.loads(render_snapshot(snapshot))


def seal(snapshot):
    """Return the text of a snapshot that is whole, as far as its checksum goes."""
    snapshot['sha256'] = checksum(snapshot)
    return json.dumps(snapshot)


def refusal(text, **options):
    with pytest.raises(MsrSafeError) as caught:
        parse_snapshot(text, '/s/n1.json', **options)
    assert '/s/n1.json' in caught.value.problem
    return str(caught.value)


def test_the_header_says_of_what_and_when(node, saved):
    created = saved.pop('created')
    assert re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z', created)
    assert re.match(r'[0-9a-f]{64}\Z', saved.pop('sha256'))
    assert saved.pop('registers')
    assert saved == {
        'format': 'hpc.msr_safe snapshot',
        'version': 1,
        'host': 'n1',
        'boot_id': '7e0f7d4c-0000-4000-8000-000000000001',
        'kernel_release': '6.1.0-18-amd64',
        'cpu': {
            'vendor': 'GenuineIntel',
            'family': 6,
            'model': 85,
            'stepping': 7,
            'microcode': '0x5003604',
            'model_name': 'Some CPU @ 2.10GHz',
            'online': '0-3',
        },
        'cpus': '0-4',
        'approved_list_sha256': digest_list(parse_list(LIST, 'list')),
    }


def test_a_register_has_its_values_by_cpus(saved):
    assert saved['registers'] == {
        '0x000001A0': {
            'name': 'IA32_MISC_ENABLE',
            'kind': 'configuration',
            'write_mask': '0x0000004000000000',
            'values': {'0x0000000000850089': '0-1,4', '0x0000004000850089': '2'},
            'errors': {FAULT: '3'},
        },
        '0x000000C1': {
            'name': 'IA32_PMC0',
            'kind': 'counter',
            'write_mask': '0x00000000000000ff',
            'values': {'0xffffffffffffffff': '0-4'},
            'errors': {},
        },
    }


def test_a_register_is_a_line(snapshot):
    lines = render_snapshot(snapshot).splitlines()
    registers = [line for line in lines if re.match(r'  "0x[0-9A-F]{8}": \{.*\},?$', line)]
    assert [line[3:13] for line in registers] == ['0x000000C1', '0x000001A0']
    assert lines[0] == '{' and lines[-1] == '}'
    assert len(lines) == 2 + 10 + 2 + 2


def test_two_renderings_are_the_same(snapshot):
    assert render_snapshot(snapshot) == render_snapshot(copy.deepcopy(snapshot))


def test_a_missing_hostname_is_no_failure(node):
    node.remove('/proc/sys/kernel/hostname')
    assert describe_node(node.machine, {})['host'] == 'unknown'


def test_parses_what_was_rendered(snapshot, saved):
    assert parse_snapshot(render_snapshot(snapshot), '/s/n1.json') == saved


def test_white_space_does_not_count(saved):
    assert parse_snapshot(json.dumps(saved, indent=4), '/s/n1.json') == saved


def test_every_truncation_is_found(snapshot):
    text = render_snapshot(snapshot).strip()
    for length in range(0, len(text), 7):
        assert 'is damaged' in refusal(text[:length])
    assert 'is damaged' in refusal(text[:-1])


@pytest.mark.parametrize('text', ['', 'no JSON', '\ufffd\0', '{"format": NaN', '[' * 200000, '{"a":' * 200000])
def test_what_is_no_json_is_damaged(text):
    said = refusal(text)
    assert 'is damaged' in said
    assert 'backup' in said


@pytest.mark.parametrize(
    'text',
    ['{}', '[]', 'null', '3', '"hpc.msr_safe snapshot"', '{"format": "other", "version": 1}'],
)
def test_other_json_is_no_snapshot(text):
    assert 'is not a snapshot of registers' in refusal(text)


@pytest.mark.parametrize('version', [2, 0, '1', None, 1.5])
def test_another_version_names_both(saved, version):
    saved['version'] = version
    said = refusal(seal(saved))
    assert 'format version %s; this release reads version 1' % version in said


def edit_value(saved):
    saved['registers']['0x000001A0']['values'].update({'0x0000000000850088': '0', '0x0000000000850089': '1,4'})


def edit_mask(saved):
    saved['registers']['0x000001A0']['write_mask'] = '0xffffffffffffffff'


def edit_host(saved):
    saved['host'] = 'n2'


def add_register(saved):
    saved['registers']['0x00000010'] = saved['registers']['0x000001A0']


def remove_register(saved):
    del saved['registers']['0x000001A0']


def change_checksum(saved):
    saved['sha256'] = '0' * 64


def remove_checksum(saved):
    del saved['sha256']


@pytest.mark.parametrize(
    'edit', [edit_value, edit_mask, edit_host, add_register, remove_register, change_checksum, remove_checksum]
)
def test_an_edited_file_is_refused_unless_accepted(saved, edit):
    edit(saved)
    text = json.dumps(saved)
    said = refusal(text)
    assert 'was changed after it was saved' in said
    assert 'edited_file' in said
    assert parse_snapshot(text, '/s/n1.json', accept_edited=True) == saved


def damage(*path_and_value):
    """Return a function that sets one place of a snapshot, or takes it away with Ellipsis."""

    def change(saved):
        place = saved
        for key in path_and_value[:-2]:
            place = place[key]
        if path_and_value[-1] is Ellipsis:
            del place[path_and_value[-2]]
        else:
            place[path_and_value[-2]] = path_and_value[-1]

    return change


REGISTER = ('registers', '0x000001A0')


@pytest.mark.parametrize(
    'change, words',
    [
        (damage('cpu', ...), 'cpu'),
        (damage('cpu', 'vendor', ...), 'vendor'),
        (damage('cpu', 'family', '6'), 'family'),
        (damage('cpu', 'model', None), 'model'),
        (damage('cpu', 'online', ...), 'online'),
        (damage('cpu', 'online', 'all'), "'all'"),
        (damage('cpu', 'online', 3), ''),
        (damage('cpu', []), ''),
        (damage('registers', ...), 'registers'),
        (damage('registers', []), ''),
        (damage('registers', None), ''),
        (damage(*REGISTER, None), ''),
        (damage(*REGISTER, 'name', ...), 'name'),
        (damage(*REGISTER, 'name', None), '0x000001A0'),
        (damage(*REGISTER, 'kind', ...), 'kind'),
        (damage(*REGISTER, 'kind', 'volatile'), "unknown kind 'volatile'"),
        (damage(*REGISTER, 'kind', {}), 'unknown kind'),
        (damage(*REGISTER, 'write_mask', ...), 'write_mask'),
        (damage(*REGISTER, 'write_mask', 3), ''),
        (damage(*REGISTER, 'write_mask', '0x10000000000000000'), 'hexadecimal'),
        (damage(*REGISTER, 'values', ...), 'values'),
        (damage(*REGISTER, 'values', []), ''),
        (damage(*REGISTER, 'values', '12', '0'), '12 in register 0x000001A0 is not a hexadecimal number'),
        (damage(*REGISTER, 'values', '0x1', '0-'), "'0-'"),
        (damage(*REGISTER, 'values', '0x1', ['0']), ''),
        (damage(*REGISTER, 'values', '0x1', '0-4000000000'), '0-4000000000'),
        (damage(*REGISTER, 'values', '0x1', '0,2'), 'register 0x000001A0 says two things of a CPU'),
        (damage(*REGISTER, 'errors', 'EIO', '4'), 'register 0x000001A0 says two things of a CPU'),
        (damage(*REGISTER, 'errors', ...), 'errors'),
        (damage(*REGISTER, 'errors', 'EIO', 1), ''),
        (damage('registers', '0x1a0', {}), '0x1a0'),
        (damage('registers', '0x100000000', {}), '0x100000000'),
        (damage('registers', 'IA32_X', {}), 'IA32_X'),
    ],
)
@pytest.mark.parametrize('accept_edited', [False, True])
def test_a_malformed_part_is_named(saved, change, words, accept_edited):
    change(saved)
    said = refusal(seal(saved), accept_edited=accept_edited)
    assert 'is malformed' in said
    assert words in said


@pytest.mark.parametrize('depth', range(100, 1300, 50))
def test_deep_data_is_no_traceback(saved, depth):
    text = json.dumps(saved)[:-1] + ', "more": %s%s}' % ('[' * depth, ']' * depth)
    assert refusal(text)


def test_the_cpus_of_a_value(saved):
    register = saved['registers']['0x000001A0']
    assert snapshot_values(register) == {0x850089: [0, 1, 4], 0x4000850089: [2]}


def test_time_alone_is_no_difference(saved):
    later = dict(saved, created='2030-01-01T00:00:00Z', sha256='0' * 64)
    assert same_content(saved, later)
    assert not same_content(saved, dict(saved, host='n2'))
    edit_mask(later)
    changed = copy.deepcopy(saved)
    remove_register(changed)
    assert not same_content(saved, changed)


def test_tells_what_could_not_be_read(snapshot):
    assert summarize_unreadable(snapshot) == [
        {'address': '0x000001A0', 'name': 'IA32_MISC_ENABLE', 'error': FAULT, 'cpus': '3'}
    ]


def test_the_list_in_force_counts_whole(node):
    """Registers that cannot be written are not saved, but belong to the list's checksum."""
    entries = read_named_list(node.machine)
    saved = build_snapshot({}, entries, [0], {0x1A4: Reading({1: [0]}, {})})
    assert list(saved['registers']) == ['0x000001A4']
    assert saved['approved_list_sha256'] == digest_list(entries)


def test_a_value_that_is_written_in_two_ways_is_one(saved):
    """Whoever edits a file by hand leaves leading zeros out."""
    values = saved['registers']['0x000001A0']['values']
    values['0x0000000000850089'], values['0x850089'] = '0-1', '4'
    edited = parse_snapshot(json.dumps(saved), '/s/n1.json', accept_edited=True)
    assert snapshot_values(edited['registers']['0x000001A0']) == {0x850089: [0, 1, 4], 0x4000850089: [2]}
