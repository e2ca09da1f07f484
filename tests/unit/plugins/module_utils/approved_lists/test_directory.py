# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.directory import means, select_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError

SKYLAKE = {'vendor': 'GenuineIntel', 'family': 6, 'model': 0x55}
SAPPHIRE_RAPIDS = {'vendor': 'GenuineIntel', 'family': 6, 'model': 0x8F}
MILAN = {'vendor': 'AuthenticAMD', 'family': 25, 'model': 1}
TURIN_DENSE = {'vendor': 'AuthenticAMD', 'family': 26, 'model': 0x11}


@pytest.fixture
def directory(tmp_path):
    """Return a function that makes a directory with files of some names, and returns its path."""

    def make(name, *files):
        path = tmp_path / name
        path.mkdir()
        for file in files:
            (path / file).write_text('0x10 0x0\n')
        return str(path)

    return make


@pytest.mark.parametrize(
    'cpu, name',
    [
        (SKYLAKE, 'al_0655'),
        (SKYLAKE, 'al_06_55'),
        (SKYLAKE, 'AL_06_55'),
        (SKYLAKE, 'wl_0655'),
        (SKYLAKE, 'wl_06_55'),
        (SAPPHIRE_RAPIDS, 'al_068f'),
        (SAPPHIRE_RAPIDS, 'al_068F'),
        (SAPPHIRE_RAPIDS, 'al_06_8F'),
        (SAPPHIRE_RAPIDS, 'al_06_8f'),
        (MILAN, 'al_191'),
        (MILAN, 'al_1901'),
        (MILAN, 'al_19_1'),
        (MILAN, 'al_19_01'),
        (TURIN_DENSE, 'al_1a11'),
        (TURIN_DENSE, 'al_1A_11'),
    ],
)
def test_finds_all_spellings(directory, cpu, name):
    path = directory('site', name, 'al_0656', 'al_1910', 'README.md')
    assert select_list(cpu, [path]) == ('%s/%s' % (path, name), [], [])


@pytest.mark.parametrize(
    'name', ['al_0655.txt', 'al_0655~', '.al_0655', 'al_655', 'xl_0655', 'al_0655\n', 'my_al_0655', 'al_06-55', 'al_']
)
def test_other_names_are_no_lists(name):
    assert not means(name, SKYLAKE)


def test_the_model_is_compared_whole():
    assert not means('al_191', {'family': 25, 'model': 0x11})
    assert not means('al_1911', MILAN)


def test_the_exact_name_comes_first_and_names_what_it_hides(directory):
    path = directory('site', 'al_06_55', 'al_0655', 'wl_0655', 'al_191')
    assert select_list(SKYLAKE, [path]) == (path + '/al_0655', [path + '/al_06_55', path + '/wl_0655'], [])


def test_two_files_for_one_cpu_are_an_error_that_names_both(directory):
    path = directory('site', 'al_06_55', 'wl_0655')
    with pytest.raises(MsrSafeError) as caught:
        select_list(SKYLAKE, [path])
    said = str(caught.value)
    assert 'al_06_55 and wl_0655' in said
    assert path in said
    assert 'al_0655' in said


def test_the_site_comes_before_the_shipped_directory(directory):
    site, shipped = directory('site', 'wl_0655'), directory('shipped', 'al_0655', 'al_191')
    assert select_list(SKYLAKE, [site, shipped]) == (site + '/wl_0655', [], [])
    assert select_list(MILAN, [site, shipped]) == (shipped + '/al_191', [], [])


def test_nothing_found_names_signature_and_directories(directory):
    site, shipped = directory('site', 'al_191'), directory('shipped')
    with pytest.raises(MsrSafeError) as caught:
        select_list(SKYLAKE, [site, shipped])
    said = str(caught.value)
    for word in ('GenuineIntel family 6 model 85', 'al_0655', site, shipped, 'msr_safe_approved_list_directories'):
        assert word in said


def test_a_missing_directory_is_an_error(directory, tmp_path):
    with pytest.raises(MsrSafeError) as caught:
        select_list(SKYLAKE, [str(tmp_path / 'typo'), directory('shipped', 'al_0655')])
    assert str(tmp_path / 'typo') in str(caught.value)


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(MsrSafeError):
        select_list(SKYLAKE, [str(tmp_path / 'file')])
