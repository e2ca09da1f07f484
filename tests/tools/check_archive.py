# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that an archive of the collection holds what its users need, and nothing else.

usage: check_archive.py COLLECTION ARCHIVE
"""

import pathlib
import sys
import tarfile

FOR_USERS = (
    'CHANGELOG.rst',
    'CODE_OF_CONDUCT.md',
    'CONTRIBUTING.md',
    'LICENSE',
    'LICENSES',
    'README.md',
    'REUSE.toml',
    'SECURITY.md',
    'approved_lists',
    'changelogs/changelog.yaml',
    'docs',
    'files',
    'meta',
    'playbooks',
    'plugins',
    'roles',
)
FOR_DEVELOPERS = ('docs/site', 'docs/testing.md')
WRITTEN_BY_GALAXY = {'FILES.json', 'MANIFEST.json'}


def is_for_users(path):
    hidden = any(part.startswith('.') for part in path.parts)
    for_users = any(path.is_relative_to(place) for place in FOR_USERS)
    return for_users and not hidden and not any(path.is_relative_to(place) for place in FOR_DEVELOPERS)


collection = pathlib.Path(sys.argv[1])
files = [path.relative_to(collection) for path in collection.rglob('*') if path.is_file()]
expected = {str(path) for path in files if is_for_users(path)} | WRITTEN_BY_GALAXY
with tarfile.open(sys.argv[2]) as archive:
    found = {member.name for member in archive if member.isfile()}

for path in sorted(expected - found):
    print(f'{path} is missing')
for path in sorted(found - expected):
    print(f'{path} has no place in it: see build_ignore in galaxy.yml')
print(f'{sys.argv[2]}: {len(found)} files')
sys.exit(found != expected)
