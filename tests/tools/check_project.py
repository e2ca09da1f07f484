# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what the project's files must agree on, and no other tool looks at."""

import pathlib
import re
import runpy
import subprocess
import sys

import yaml

# Files that hold no comments, texts that are licences, what antsibull-changelog writes, input of tests
WITHOUT_LICENSE_LINE = re.compile(
    r'.*\.(cast|json|md|png|rst|svg|tsv)|LICENSE|LICENSES/.*|changelogs/changelog\.yaml|changelogs/\.plugin-cache\.yaml'
    r'|tests/sanity/ignore-.*\.txt|tests/kernel/fuzz/corpus/.*'
)
LICENSE_LINE = re.compile(r'\bSPDX-License-Identifier: (\S+)')


def check_version():
    """Collection, kernel module and commands share the version of one file."""
    version = runpy.run_path('plugins/module_utils/version.py')['VERSION']
    of_galaxy = yaml.safe_load(pathlib.Path('galaxy.yml').read_text())['version']
    if of_galaxy != version:
        yield f'galaxy.yml: version is {of_galaxy}, plugins/module_utils/version.py says {version}'


def check_action_group():
    """The action group `all` names every module."""
    modules = sorted(path.stem for path in pathlib.Path('plugins/modules').glob('*.py'))
    group = yaml.safe_load(pathlib.Path('meta/runtime.yml').read_text())['action_groups']['all']
    if group != modules:
        yield f'meta/runtime.yml: action_groups.all should be {modules}'


def check_licenses():
    """Each file with content names its licence: the kernel module's GPL-2.0-only, else GPL-3.0-or-later."""
    listing = subprocess.check_output(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], text=True)
    for path in map(pathlib.Path, sorted(set(listing.splitlines()))):
        if WITHOUT_LICENSE_LINE.fullmatch(str(path)) or not path.is_file() or not path.stat().st_size:
            continue
        license_line = LICENSE_LINE.search('\n'.join(path.read_text().splitlines()[:5]))
        wanted = 'GPL-2.0-only' if path.is_relative_to('files/kmod') else 'GPL-3.0-or-later'
        if not license_line or license_line[1] != wanted:
            yield f'{path}: its first five lines lack "SPDX-License-Identifier: {wanted}"'


problems = [*check_version(), *check_action_group(), *check_licenses()]
sys.exit('\n'.join(problems) or 0)
