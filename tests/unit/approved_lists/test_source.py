# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Tests of the source of the approved lists, and of the generator."""

import pathlib
import shutil
import subprocess
import sys

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
TABLE = pathlib.PurePath('plugins', 'module_utils', 'registers', 'table.py')


@pytest.fixture
def collection(tmp_path):
    """Return a copy of what the generator reads and writes."""
    for directory in ('approved_lists', 'docs', 'plugins/module_utils'):
        shutil.copytree(str(COLLECTION / directory), str(tmp_path / directory))
    return tmp_path


def generate(collection, *arguments):
    """Run the generator of a collection; return its exit code and what it said."""
    process = subprocess.run(
        [sys.executable, '-B', str(collection / 'approved_lists' / 'source' / 'generate.py'), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        check=False,
    )
    return process.returncode, process.stdout


def replace(path, old, new):
    """Replace a text in a file, which must have it."""
    text = path.read_text(encoding='utf-8')
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding='utf-8')


def test_lists_and_source_agree():
    assert generate(COLLECTION, '--check') == (0, '')


def test_check_shows_an_edited_list(collection):
    replace(collection / 'approved_lists' / 'al_0655', '0x0000000000007F7F', '0x000000000000FFFF')
    code, output = generate(collection, '--check')
    assert code == 1
    assert '-0x00000620 0x000000000000FFFF # MSR_UNCORE_RATIO_LIMIT' in output
    assert '+0x00000620 0x0000000000007F7F # MSR_UNCORE_RATIO_LIMIT' in output


def test_check_shows_an_edited_table(collection):
    replace(collection / 'docs' / 'approved-lists.md', '| `al_0655` |', '| `al_0656` |')
    assert generate(collection, '--check')[0] == 1


def test_check_shows_an_edited_registers_table(collection):
    replace(collection / TABLE, 'PL1_POWER_LIMIT 14:0', 'PL1_POWER_LIMIT 13:0')
    assert generate(collection, '--check')[0] == 1


def test_check_shows_a_list_that_the_source_does_not_have(collection):
    (collection / 'approved_lists' / 'monitor' / 'al_06ff').write_text('0x10 0\n', encoding='utf-8')
    assert generate(collection, '--check')[0] == 1


def test_generate_mends_what_check_shows(collection):
    (collection / 'approved_lists' / 'perf' / 'al_0655').unlink()
    (collection / 'approved_lists' / 'al_06ff').write_text('0x10 0\n', encoding='utf-8')
    replace(collection / 'approved_lists' / 'al_191', '0xC0000108', '0xC0000109')
    assert generate(collection) == (0, '')
    assert generate(collection, '--check') == (0, '')
    assert not (collection / 'approved_lists' / 'al_06ff').exists()


def test_more_boxes_are_one_number(collection):
    replace(collection / 'approved_lists' / 'source' / 'cpus.yml', '{boxes: 28}', '{boxes: 29}')
    assert generate(collection) == (0, '')
    assert '0x00000FCB 0x0000000000000000 # MSR_C28_PMON_CTR3 (counter)\n' in (
        collection / 'approved_lists' / 'al_0655'
    ).read_text(encoding='utf-8')
    assert '0xE0B MSR_C{}_PMON_CTR3 counter package 0x0+0xFFFFFFFFFFFF monitor 0-28 0x10\n' in (
        collection / TABLE
    ).read_text(encoding='utf-8')


@pytest.mark.parametrize(
    'path, old, new, message',
    [
        ('cpus.yml', '- intel_skylake\n', '- intel_skylark\n', 'no group is called intel_skylark'),
        ('cpus.yml', '- intel_xeon_phi\n', '- intel_xeon_phi\n    - intel_clocks\n', '0x10 is in intel_clocks and in'),
        ('cpus.yml', ': {boxes: 28}', '', 'a number of boxes belongs to a group with a box'),
        ('cpus.yml', '- intel_granite_rapids', '- intel_granite_rapids: {boxes: 2}', 'a number of boxes belongs'),
        ('sets.yml', 'intel_skylake:', 'intel_clocks:', 'intel_clocks exists already'),
        ('registers/intel-core.yml', 'MSR_PPERF', 'IA32_APERF', 'IA32_APERF is in'),
        ('registers/intel-core.yml', 'kind: counter', 'kind: counting', 'wrong kind'),
        ('registers/intel-core.yml', 'scope: cpu', 'scope: thread', 'wrong scope'),
        ('registers/intel-core.yml', 'power: 0x1F}', 'monitor: 0x1F}', 'the tiers shared and monitor are read only'),
        ('registers/intel-core.yml', 'power: 0x1F}', 'power: 0x1FFFFFFFFFFFFFFFF}', 'wrong mask'),
        ('registers/intel-core.yml', 'site: 0xF}', 'site: 0x1FFFFFFFFFFFFFFFF}', 'wrong mask'),
        ('cpus.yml', 'vendor: GenuineIntel', 'vendor: Intel', 'no vendor is called Intel'),
        ('registers/amd.yml', '0xC0010015', '0x1C0010015', 'wrong address'),
        ('registers/intel-core.yml', 'source: SDM vol. 4 table 2-2 (arch', 'source: ""\n  was: (arch', 'wrong source'),
        ('fields.yml', '[55, 49, window]', '[55, 48, window]', 'they overlap'),
        ('fields.yml', '[15, 8, ratio]', '[15, 8, hertz]', 'wrong unit of a field'),
    ],
)
def test_contradiction_is_named(collection, path, old, new, message):
    replace(collection / 'approved_lists' / 'source' / path, old, new)
    code, output = generate(collection, '--check')
    assert code == 1
    assert output.startswith('approved_lists/source: ')
    assert message in output


def test_explain_says_what_the_source_knows():
    code, output = generate(COLLECTION, '--explain', 'al_068f', '0x199')
    assert code == 0
    assert output.splitlines()[0] == 'al_068f 0x00000199 IA32_PERF_CTL: governed, one per core'
    assert '  tier power: write mask 0x000000000000FFFF' in output
    assert '  bits 15:8 FREQ (ratio)' in output
    assert 'SDM vol. 4' in output


def test_explain_of_a_register_that_a_cpu_does_not_have():
    code, output = generate(COLLECTION, '--explain', 'al_191', '0x199')
    assert (code, output) == (1, 'approved_lists/source: al_191 has no register 0x199\n')
