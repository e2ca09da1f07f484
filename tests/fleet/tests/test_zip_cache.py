# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node keeps of the sources in zip archives, with the Python that runs these tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PLACE = Path(__file__).resolve().parent.parent / 'recipe/root/usr/lib/python3/dist-packages'

# Says which sources were compiled, then what the imported function returns, and the file that a traceback would name
SCRIPT = """\
import sys
sys.path[:0] = [{place!r}]
import fleet_zip_cache
fleet_zip_cache.CACHE = {cache!r}
anew = fleet_zip_cache._compile_anew
fleet_zip_cache._compile_anew = lambda path, source: print('compiled') or anew(path, source)
sys.path[:0] = [{archive!r}]
import greeting
print(greeting.greet(), greeting.greet.__code__.co_filename)
"""

SOURCE = "def greet():\n    return '{}'\n"


@pytest.fixture
def said(tmp_path):
    """Import `greeting`, which returns a word, out of an archive of this name; return the lines that were said."""

    def import_greeting(name, word='hello', cache=tmp_path / 'cache'):
        archive = tmp_path / name
        with zipfile.ZipFile(archive, 'w') as file:
            file.writestr('greeting.py', SOURCE.format(word))
        script = SCRIPT.format(place=str(PLACE), cache=str(cache), archive=str(archive))
        return subprocess.check_output([sys.executable, '-c', script], text=True).splitlines()

    return import_greeting


def test_a_source_is_compiled_once_wherever_it_comes_from(said, tmp_path):
    assert said('one.zip') == ['compiled', f'hello {tmp_path}/one.zip/greeting.py']
    assert said('two.zip') == [f'hello {tmp_path}/two.zip/greeting.py']


def test_another_source_of_the_same_name_is_compiled(said, tmp_path):
    said('one.zip')
    assert said('one.zip', 'good bye') == ['compiled', f'good bye {tmp_path}/one.zip/greeting.py']


def test_what_is_not_whole_is_compiled_anew_and_replaced(said, tmp_path):
    said('one.zip')
    (kept,) = (tmp_path / 'cache').iterdir()
    for rest in (b'', kept.read_bytes()[:20], b'?'):
        kept.write_bytes(rest)
        assert said('one.zip')[0] == 'compiled'
        assert said('one.zip')[0] != 'compiled'


def test_who_may_not_write_the_cache_runs_all_the_same(said, tmp_path):
    (tmp_path / 'file').touch()
    assert said('one.zip', cache=tmp_path / 'file/cache')[-1].startswith('hello ')


def test_every_python_of_a_node_does_it():
    lines = (PLACE / 'fleet_zip_cache.pth').read_text().splitlines()
    assert [line for line in lines if not line.startswith('#')] == ['import fleet_zip_cache']
