# SPDX-License-Identifier: GPL-3.0-or-later
"""importer.py fails where galaxy-importer fails, warns, or finds a page with nothing on it."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / 'importer.py'

GOOD = [
    {'content_type': 'role', 'content_name': 'r', 'doc_strings': {}, 'readme_html': '<p>'},
    {'content_type': 'module', 'content_name': 'm', 'doc_strings': {'doc': {}}, 'readme_html': None},
    {'content_type': 'module_utils', 'content_name': 'u', 'doc_strings': {}, 'readme_html': None},
]


@pytest.fixture
def imported(tmp_path):
    """Run it with a program in the place of the importer's python; return (exit status, output)."""

    def run(said='', contents=None, status=0):
        result = json.dumps({'docs_blob': {'contents': contents or GOOD}})
        python = tmp_path / 'python'
        python.write_text(
            f"#!/bin/sh\ncat <<'END'\nLoading module m.py\n{said}\nEND\n"
            f"cat >importer_result.json <<'END'\n{result}\nEND\nexit {status}\n"
        )
        python.chmod(0o755)
        environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH='/mine')
        done = subprocess.run(
            [sys.executable, PROGRAM, python, 'x.tar.gz'],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_clean_import_is_good(imported):
    status, output = imported('Importer processing completed successfully')
    assert (status, 'Loading' in output) == (0, False)
    assert '3 contents, 0 problems' in output


@pytest.mark.parametrize('said', ['WARNING: no changelog', 'ERROR: bad tag', '  WARNING  Listing 1 violation(s)'])
def test_a_warning_is_an_error(imported, said):
    status, output = imported(said)
    assert status == 1
    assert said.strip() in output.rpartition('wrong:')[2]


def test_an_importer_that_fails_is_an_error(imported):
    assert imported('No role readme found', status=1)[0] == 1


@pytest.mark.parametrize(
    ('place', 'missing', 'expected'),
    [(0, 'readme_html', 'role r: no README'), (1, 'doc_strings', 'module m: no documentation')],
)
def test_a_page_with_nothing_on_it_is_an_error(imported, place, missing, expected):
    contents = json.loads(json.dumps(GOOD))
    contents[place][missing] = None
    status, output = imported(contents=contents)
    assert status == 1
    assert expected in output
