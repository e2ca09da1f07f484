# SPDX-License-Identifier: GPL-3.0-or-later
"""Lay out the source of the documentation's site: the guides as they are, and a page for each plugin and role.

    docs_site.py DIRECTORY

The pages lie as in the repository, so links between them hold. One to a file that is no page of the site becomes one to
the repository. `make docs` has Sphinx make HTML of the directory.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import zlib

from check_claims import LINK, REPOSITORY

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADDRESS = 'https://github.com/hpc-msr-safe/hpc.msr_safe/{kind}/main/{path}'

# (title, pages), in the order of the site's contents
CONTENTS = (
    (
        'For administrators',
        (
            'docs/coming-from-msr-safe.md',
            'docs/fleets.md',
            'docs/automation.md',
            'docs/images.md',
            'docs/packages.md',
            'docs/approved-lists.md',
            'docs/tools.md',
            'docs/registers.md',
            'docs/policy.md',
            'docs/audit.md',
            'docs/slurm.md',
            'docs/troubleshooting.md',
        ),
    ),
    ('Reference', ('docs/kernel-module.md', 'files/kmod/README.md', 'docs/versions.md', 'docs/simulated-registers.md')),
    (
        'The project',
        (
            'docs/architecture.md',
            'docs/testing.md',
            'approved_lists/source/README.md',
            'CONTRIBUTING.md',
            'SECURITY.md',
            'CODE_OF_CONDUCT.md',
            'CHANGELOG.rst',
        ),
    ),
)


# What pages of plugins name of Ansible's documentation: (name, kind, place there)
OF_ANSIBLE = (
    ('action_plugins', 'std:label', 'plugins/action.html#action-plugins'),
    ('callback_plugins', 'std:label', 'plugins/callback.html#callback-plugins'),
    ('common_return_values', 'std:label', 'reference_appendices/common_return_values.html#common-return-values'),
    ('ansible_configuration_settings', 'std:label', 'reference_appendices/config.html#ansible-configuration-settings'),
    ('ANSIBLE_CALLBACKS_ENABLED', 'std:envvar', 'reference_appendices/config.html#envvar-ANSIBLE_CALLBACKS_ENABLED'),
)


def main():
    site = pathlib.Path(sys.argv[1])
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    chapters = [(title, [page for page in pages if (ROOT / page).exists()]) for title, pages in CONTENTS]
    pages = {page for _title, of_chapter in chapters for page in of_chapter} | set(results())
    unplaced = {str(path.relative_to(ROOT)) for path in (ROOT / 'docs').glob('*.md')} - pages
    if unplaced:
        sys.exit(f'tests/tools/docs_site.py: no chapter has {", ".join(sorted(unplaced))}')
    for page in sorted(pages):
        write(site / page, without_contents(with_links(page, (ROOT / page).read_text(), pages | {'README.md'})))
    shutil.copytree(ROOT / 'docs/pictures', site / 'docs/pictures')
    shutil.copytree(ROOT / 'docs/site', site, dirs_exist_ok=True)
    (site / 'ansible.inv').write_bytes(inventory(OF_ANSIBLE))
    write_plugins(site / 'collection')
    guides, reference, *rest = [toctree(title, map(without_suffix, of_chapter)) for title, of_chapter in chapters]
    contents = [guides, toctree('Roles and plugins', plugins(site / 'collection')), reference, *rest]
    contents.append(toctree('Results', map(without_suffix, results())))
    text = with_links('README.md', (ROOT / 'README.md').read_text(), pages)
    write(site / 'index.md', text + ''.join(contents))


def without_contents(text):
    """Return a page's text without the list of its chapters, which the theme shows beside it."""
    return re.sub(r'\.\. contents::.*\n( +:.*\n)*', '', text)


def results():
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / 'docs/results').glob('*.md'))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def with_links(page, text, pages):
    """Return the text with links that lead somewhere on the site."""
    return LINK.sub(lambda link: link[0].replace(f']({link[1]})', f']({placed(page, link[1], pages)})'), text)


def placed(page, target, pages):
    """Return where a link of a page leads on the site: to one of its pages or pictures, or to the repository."""
    in_repository = REPOSITORY.match(target)
    is_foreign = re.match(r'[a-z]+:', target) and not in_repository
    if is_foreign or target.startswith('#'):
        return target
    path, mark, anchor = (target[in_repository.end() :] if in_repository else target).partition('#')
    path = path if in_repository else os.path.normpath(os.path.join(os.path.dirname(page), path))
    if path in pages or path.startswith('docs/pictures/'):
        path = 'index.md' if path == 'README.md' else path
        return os.path.relpath(path, os.path.dirname(page) or '.') + mark + anchor
    kind = 'tree' if (ROOT / path).is_dir() else 'blob'
    return ADDRESS.format(kind=kind, path=path) + mark + anchor


def without_suffix(page):
    return page.rpartition('.')[0]


def toctree(title, entries):
    """Return a part of the contents that are shown beside each page."""
    return '\n```{{toctree}}\n:hidden:\n:caption: {}\n:maxdepth: 1\n\n{}\n```\n'.format(title, '\n'.join(entries))


def plugins(directory):
    """Return the entries of the contents for roles and plugins, with short titles."""
    entries = ['All <collection/index>']
    for kind in ('role', 'module', 'filter', 'callback'):
        for page in sorted(directory.glob(f'*_{kind}.rst'), key=lambda page: page.stem[: -len(kind)]):
            entries.append(f'{page.stem.replace("_" + kind, "")} ({kind}) <collection/{page.stem}>')
    return entries


def inventory(entries):
    """Return the names and their places as intersphinx reads them."""
    head = '# Sphinx inventory version 2\n# Project: Ansible\n# Version:\n# The remainder is compressed using zlib.\n'
    lines = ''.join(f'{name} {kind} -1 {place} {name.replace("_", " ")}\n' for name, kind, place in entries)
    return head.encode() + zlib.compress(lines.encode())


def write_plugins(directory):
    """Write the pages of plugins and roles."""
    directory.mkdir()
    command = ['antsibull-docs', 'collection', '--use-current', '--squash-hierarchy', '--fail-on-error']
    command += ['--no-add-antsibull-docs-version', '--dest-dir', directory, 'hpc.msr_safe']
    subprocess.run(command, check=True, cwd=ROOT)
    for page in directory.glob('*.rst'):
        text = without_contents(page.read_text())
        text = re.sub(r'\.\. toctree::\n( +:.*\n)*\n( +\S+\n)+', '', text)
        page.write_text(text.replace('Hpc.Msr_Safe\n============\n', 'Roles and plugins\n=================\n', 1))


if __name__ == '__main__':
    main()
