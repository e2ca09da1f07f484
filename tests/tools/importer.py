# SPDX-License-Identifier: GPL-3.0-or-later
"""Import an archive of the collection as Galaxy does, with galaxy-importer; its warnings are errors here.

    importer.py PYTHON ARCHIVE

PYTHON: of the virtual environment that has galaxy-importer. What it made of the archive is in the working directory
build/importer.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

PLACE = pathlib.Path('build/importer')

# As strict as Galaxy is, and stricter: its tags, its changelog, and no version before 1.0.0
SETTINGS = """\
[galaxy-importer]
CHECK_REQUIRED_TAGS = True
REQUIRE_V1_OR_GREATER = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
RUN_ANSIBLE_TEST = False
RUN_FLAKE8 = False
"""

PROGRESS = re.compile(r'Loading \S+ ')
PROBLEM = re.compile(r'\s*(WARNING|ERROR|CRITICAL)\b')
# The importer names both kinds of content as Galaxy shows them; the other kinds have no page there
WITH_README, WITH_DOCUMENTATION = ('role',), ('module', 'filter', 'callback')


def main():
    # Not resolved: the environment is found by the path of its python
    status, output = run(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
    print('\n'.join(line for line in output.splitlines() if not PROGRESS.match(line)))
    found = problems(output)
    if status == 0:
        contents = json.loads((PLACE / 'importer_result.json').read_text())['docs_blob']['contents']
        found += bare_pages(contents)
        print(f'galaxy-importer: {len(contents)} contents, {len(found)} problems')
    return '\n'.join(['What galaxy-importer says is wrong:', *found]) if status or found else 0


def run(python, archive):
    """Return (exit status, output) of galaxy-importer."""
    PLACE.mkdir(parents=True, exist_ok=True)
    (PLACE / 'settings').write_text(SETTINGS)
    environment = dict(
        os.environ,
        GALAXY_IMPORTER_CONFIG=str(PLACE.resolve() / 'settings'),
        PATH=os.path.dirname(python) + os.pathsep + os.environ['PATH'],
        ANSIBLE_HOME=str(PLACE.resolve() / 'ansible-home'),
    )
    # What Ansible finds as hpc.msr_safe is the archive, not this working tree
    environment.pop('ANSIBLE_COLLECTIONS_PATH', None)
    command = [python, '-m', 'galaxy_importer.main', archive]
    done = subprocess.run(
        command, cwd=PLACE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def problems(output):
    return [line.strip() for line in output.splitlines() if PROBLEM.match(line)]


def bare_pages(contents):
    """Return a line for each role or plugin of which Galaxy would have nothing to show."""
    found = []
    for content in contents:
        kind, name = content['content_type'], content['content_name']
        if kind in WITH_README and not content['readme_html']:
            found.append(f'{kind} {name}: no README')
        if kind in WITH_DOCUMENTATION and not content['doc_strings']:
            found.append(f'{kind} {name}: no documentation')
    return found


if __name__ == '__main__':
    sys.exit(main())
