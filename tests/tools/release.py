# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a release: its changelog, its version, its archive, its tag.

    release.py VERSION             commit and tag it, in this repository
    release.py --dry-run [VERSION] the same, of which nothing is kept

All of it is done in a clone, from the commit that is checked out; only what passed every check comes back, as one
commit and its tag. Nothing is pushed or published. For a dry run without a version it is the next that the changes
ask for.

What a version number promises is in docs/versions.md; that the changelog's fragments do not break it is checked here.
"""

import argparse
import datetime
import pathlib
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSION_FILE = 'plugins/module_utils/version.py'
SEMANTIC = re.compile(r'(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)\Z')

# Which part of the version the sections of changelog fragments ask for
MAJOR, MINOR, PATCH = 0, 1, 2
ASKS_FOR = {
    'breaking_changes': MAJOR,
    'removed_features': MAJOR,
    'major_changes': MINOR,
    'minor_changes': MINOR,
    'deprecated_features': MINOR,
}
NAMES = {MAJOR: 'major', MINOR: 'minor', PATCH: 'patch'}


class Refused(Exception):
    """What keeps a release from being made, in a sentence."""


def main():
    parser = argparse.ArgumentParser(description='Make a release.')
    parser.add_argument('version', nargs='?', help='x.y.z')
    parser.add_argument('--dry-run', action='store_true', help='make it, check it, and keep nothing of it')
    options = parser.parse_args()
    try:
        print(release(ROOT, options.version, options.dry_run))
    except Refused as refusal:
        return f'release: {refusal}'
    return 0


def release(root, version, is_dry_run):
    """Make a release of the repository at root; return what was done, in words. Raises Refused."""
    if not version and not is_dry_run:
        raise Refused('which version? make release VERSION=x.y.z')
    if not is_dry_run and git(root, 'status', '--porcelain'):
        raise Refused('there is what is not committed. Commit it, or put it aside.')
    with tempfile.TemporaryDirectory() as directory:
        clone = pathlib.Path(directory, 'ansible_collections', 'hpc', 'msr_safe')
        git(root, 'clone', '--quiet', root, clone)
        have_identity(clone)
        former, sections = released_versions(clone), fragment_sections(clone)
        if not sections:
            if is_dry_run and former and spell(former[-1]) == version_of(clone):
                return f'{version_of(clone)} is released, and nothing is new: changelogs/fragments is empty.'
            raise Refused('there is nothing to release: changelogs/fragments is empty.')
        version = version or next_version(clone, former, sections)
        check_version(version, former, sections)
        archive = make(clone, version, pathlib.Path(directory))
        names = check_archive(archive, version)
        if is_dry_run:
            return (
                f'{version} can be released: {len(names)} files in its archive, changelog among them. Nothing is kept.'
            )
        git(root, 'fetch', '--quiet', clone, f'refs/tags/v{version}:refs/tags/v{version}')
        git(root, 'merge', '--quiet', '--ff-only', f'v{version}^{{commit}}')
        kept = root / 'build' / archive.name
        kept.parent.mkdir(exist_ok=True)
        shutil.copy(archive, kept)
    return (
        f'{version} is committed and tagged here, and its archive is {kept.relative_to(root)}. To publish it:\n'
        f'    git push --follow-tags\n'
        f'    ansible-galaxy collection publish {kept.relative_to(root)}'
    )


def released_versions(clone):
    """Return the versions that were released, ascending, by tags and by the changelog."""
    tags = [tag[1:] for tag in git(clone, 'tag', '--list', 'v*').split()]
    noted = yaml.safe_load((clone / 'changelogs/changelog.yaml').read_text())['releases'] or {}
    return sorted({numbers(version) for version in {*tags, *noted} if SEMANTIC.match(version)})


def fragment_sections(clone):
    """Return the sections that the changelog's fragments have; none where there are no fragments."""
    fragments = [yaml.safe_load(path.read_text()) for path in (clone / 'changelogs/fragments').glob('*.yml')]
    return {section for fragment in fragments for section in fragment}


def next_version(clone, former, sections):
    """Return the version that the fragments ask for; of the first release, the one that is written."""
    if not former:
        return version_of(clone)
    part = least_part(sections)
    last = former[-1]
    return '.'.join(map(str, [*last[:part], last[part] + 1, *[0] * (2 - part)]))


def check_version(version, former, sections):
    """Raise Refused where a version is none, is not new, or promises more than the changes keep."""
    if not SEMANTIC.match(version):
        raise Refused(f'{version} is no version: x.y.z, numbers without leading zeros.')
    if not former:
        return
    last, new = former[-1], numbers(version)
    if new <= last:
        raise Refused(f'{version} is not after {spell(last)}, which is released.')
    changed = next(part for part in (MAJOR, MINOR, PATCH) if new[part] != last[part])
    if changed > least_part(sections):
        asking = sorted(section for section in sections if ASKS_FOR.get(section, PATCH) < changed)
        raise Refused(
            f'{version} is a new {NAMES[changed]} version after {spell(last)}, and the fragments have '
            f'{", ".join(asking)}: they ask for a new {NAMES[least_part(sections)]} version (docs/versions.md).'
        )


def least_part(sections):
    return min((ASKS_FOR.get(section, PATCH) for section in sections), default=PATCH)


def make(clone, version, directory):
    """Write version and changelog, keep what the release writes, commit, tag and build; return the archive."""
    set_version(clone, version)
    run(clone, 'antsibull-changelog', 'lint')
    run(clone, 'antsibull-changelog', 'release', '--version', version, '--date', str(datetime.date.today()))
    commit(clone, f'Release {version}')
    # By the code of the release itself, so after its commit; later releases are tested with it
    run(clone, sys.executable, 'tests/tools/release_fixtures.py', 'HEAD', version)
    commit(clone, f'Release {version}', '--amend')
    git(clone, 'tag', '--annotate', f'v{version}', '--message', f'Release {version}')
    run(clone, sys.executable, 'tests/tools/check_project.py')
    copy = directory / 'copy'
    run(clone, 'tests/tools/collection-copy', copy)
    run(clone, 'ansible-galaxy', 'collection', 'build', '--output-path', directory, copy)
    archive = directory / f'hpc-msr_safe-{version}.tar.gz'
    run(clone, sys.executable, 'tests/tools/check_archive.py', copy, archive)
    return archive


def set_version(clone, version):
    """Write the version where it is (version.py) and where ansible-galaxy wants it (galaxy.yml)."""
    replace(clone / VERSION_FILE, r"^VERSION = '.*'$", f"VERSION = '{version}'")
    replace(clone / 'galaxy.yml', r'^version: .*$', f'version: {version}')


def replace(path, pattern, line):
    text, count = re.subn(pattern, line, path.read_text(), flags=re.M)
    if count != 1:
        raise Refused(f'{path.name} has {count} lines of its version, and should have one.')
    path.write_text(text)


def commit(clone, message, *options):
    git(clone, 'add', '--all')
    git(clone, 'commit', '--quiet', '--message', message, *options)


def have_identity(clone):
    """Let commits and tags have an author, where this machine names none."""
    if subprocess.run(['git', '-C', clone, 'var', 'GIT_COMMITTER_IDENT'], capture_output=True, check=False).returncode:
        git(clone, 'config', 'user.name', 'hpc.msr_safe')
        git(clone, 'config', 'user.email', 'release@localhost')


def check_archive(archive, version):
    """Return the archive's names. Raises Refused where it lacks the changelog, or says another version."""
    with tarfile.open(archive) as files:
        names = files.getnames()
        changelog = files.extractfile('CHANGELOG.rst').read().decode() if 'CHANGELOG.rst' in names else ''
        manifest = yaml.safe_load(files.extractfile('MANIFEST.json'))
        library = files.extractfile(VERSION_FILE).read().decode()
    if not re.search(rf'^v{re.escape(version)}$', changelog, re.M):
        raise Refused(f'the changelog in the archive has no chapter about {version}.')
    if manifest['collection_info']['version'] != version or f"'{version}'" not in library:
        raise Refused(f'the archive does not say {version} everywhere.')
    return names


def version_of(clone):
    return runpy.run_path(str(clone / VERSION_FILE))['VERSION']


def numbers(version):
    return tuple(int(part) for part in version.split('.'))


def spell(version):
    return '.'.join(map(str, version))


def git(place, *arguments):
    return run(place, 'git', '-C', place, *arguments)


def run(place, *command):
    """Run a command; return its output. Raises Refused, with what it said."""
    done = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Refused(f'{" ".join(map(str, command[:3]))}: {done.stdout.strip()}')
    return done.stdout


if __name__ == '__main__':
    sys.exit(main())
