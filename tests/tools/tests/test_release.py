# SPDX-License-Identifier: GPL-3.0-or-later
"""release.py: which version may follow which, and that a release arrives whole or not at all.

What the changelog and the archive of a release hold is seen by `make release-check`, which makes one.
"""

import io
import json
import pathlib
import subprocess
import sys
import tarfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import release
from release import Refused, check_version, git, least_part, next_version

BUG, FEATURE, BREAK = {'bugfixes'}, {'minor_changes', 'bugfixes'}, {'breaking_changes', 'minor_changes'}


@pytest.mark.parametrize(
    ('version', 'former', 'sections'),
    [
        ('2.0.0', [], BREAK),
        ('2.0.1', [(2, 0, 0)], BUG),
        ('2.1.0', [(2, 0, 0)], BUG),
        ('2.1.0', [(2, 0, 0), (2, 0, 1)], FEATURE),
        ('3.0.0', [(2, 0, 0), (2, 10, 0)], BREAK),
    ],
)
def test_a_version_may_promise_what_the_changes_keep(version, former, sections):
    check_version(version, former, sections)


@pytest.mark.parametrize(
    ('version', 'former', 'sections', 'said'),
    [
        ('2.0', [], BUG, 'is no version'),
        ('2.0.0-rc1', [], BUG, 'is no version'),
        ('02.0.0', [], BUG, 'is no version'),
        ('2.0.0', [(2, 0, 0)], BUG, 'not after 2.0.0'),
        ('2.9.0', [(2, 9, 0), (2, 10, 0)], BUG, 'not after 2.10.0'),
        ('2.0.1', [(2, 0, 0)], FEATURE, 'have minor_changes: they ask for a new minor version'),
        ('2.1.0', [(2, 0, 0)], BREAK, 'have breaking_changes: they ask for a new major version'),
        ('2.0.1', [(2, 0, 0)], {'removed_features'}, 'a new major version'),
    ],
)
def test_a_version_that_promises_more_is_refused(version, former, sections, said):
    with pytest.raises(Refused, match=said):
        check_version(version, former, sections)


def test_the_next_version_is_what_the_changes_ask_for():
    former = [(2, 0, 0), (2, 3, 4)]
    assert [next_version(None, former, sections) for sections in (BUG, FEATURE, BREAK)] == ['2.3.5', '2.4.0', '3.0.0']


def test_what_no_section_asks_for_is_a_patch():
    assert least_part({'release_summary', 'security_fixes'}) == release.PATCH


@pytest.fixture(autouse=True)
def _machine_without_an_author(monkeypatch):
    """As a fresh machine is: git knows nobody there."""
    monkeypatch.setenv('GIT_CONFIG_GLOBAL', '/dev/null')
    monkeypatch.setenv('GIT_CONFIG_NOSYSTEM', '1')


@pytest.fixture
def repository(tmp_path):
    """A repository with a version and a fragment."""
    root = tmp_path / 'repository'
    files = {
        'plugins/module_utils/version.py': "VERSION = '2.0.0'\n",
        'galaxy.yml': 'version: 2.0.0\n',
        'changelogs/changelog.yaml': 'releases: {}\n',
        'changelogs/fragments/a.yml': 'minor_changes: [one]\n',
        '.gitignore': '/build/\n',
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(['git', 'init', '--quiet', root], check=True)
    for setting in ('user.name=x', 'user.email=x@x'):
        git(root, 'config', *setting.split('='))
    release.commit(root, 'first')
    return root


def archive_of(clone, directory, version, changelog):
    """Write an archive as ansible-galaxy would of the clone."""
    path = directory / f'hpc-msr_safe-{version}.tar.gz'
    files = {
        'CHANGELOG.rst': changelog,
        'MANIFEST.json': json.dumps({'collection_info': {'version': version}}),
        release.VERSION_FILE: (clone / release.VERSION_FILE).read_text(),
    }
    with tarfile.open(path, 'w:gz') as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def made(monkeypatch):
    """In the place of the tools that write changelog and archive: what they would write."""

    def with_changelog(changelog):
        def make(clone, version, directory):
            release.set_version(clone, version)
            (clone / 'CHANGELOG.rst').write_text(changelog)
            release.commit(clone, f'Release {version}')
            git(clone, 'tag', '--annotate', f'v{version}', '--message', 'x')
            return archive_of(clone, directory, version, changelog)

        monkeypatch.setattr(release, 'make', make)

    return with_changelog


def state(root):
    return git(root, 'rev-parse', 'HEAD'), git(root, 'tag', '--list'), git(root, 'status', '--porcelain')


def test_a_release_is_a_commit_a_tag_and_an_archive(repository, made):
    made('v2.1.0\n======\n')
    before = git(repository, 'rev-parse', 'HEAD')
    said = release.release(repository, '2.1.0', is_dry_run=False)
    assert git(repository, 'rev-parse', 'HEAD^') == before
    assert git(repository, 'rev-parse', 'v2.1.0^{commit}') == git(repository, 'rev-parse', 'HEAD')
    assert "VERSION = '2.1.0'" in (repository / release.VERSION_FILE).read_text()
    assert (repository / 'galaxy.yml').read_text() == 'version: 2.1.0\n'
    assert (repository / 'build/hpc-msr_safe-2.1.0.tar.gz').exists()
    assert 'git push' in said


def test_of_a_dry_run_nothing_is_kept(repository, made):
    made('v2.0.0\n======\n')
    before = state(repository)
    (repository / 'draft').touch()
    assert '2.0.0 can be released' in release.release(repository, None, is_dry_run=True)
    (repository / 'draft').unlink()
    assert state(repository) == before
    assert not (repository / 'build').exists()


def test_of_a_release_that_fails_nothing_is_kept(repository, made):
    made('v1.9.0\n======\n')
    before = state(repository)
    with pytest.raises(Refused, match=r'no chapter about 2\.1\.0'):
        release.release(repository, '2.1.0', is_dry_run=False)
    assert state(repository) == before


def test_what_is_not_committed_is_in_the_way(repository, made):
    made('')
    (repository / 'draft').touch()
    with pytest.raises(Refused, match='not committed'):
        release.release(repository, '2.1.0', is_dry_run=False)


def test_without_fragments_there_is_nothing_to_release(repository, made):
    (repository / 'changelogs/fragments/a.yml').unlink()
    release.commit(repository, 'gone')
    with pytest.raises(Refused, match='nothing to release'):
        release.release(repository, '2.1.0', is_dry_run=False)


def test_right_after_a_release_a_dry_run_is_good(repository, made):
    made('v2.0.0\n======\n')
    release.release(repository, '2.0.0', is_dry_run=False)
    (repository / 'changelogs/fragments/a.yml').unlink()  # as antsibull-changelog does
    release.commit(repository, 'gone')
    assert '2.0.0 is released' in release.release(repository, None, is_dry_run=True)


def test_a_version_of_a_tag_or_of_the_changelog_is_released(repository):
    git(repository, 'tag', 'v2.0.0')
    git(repository, 'tag', 'other')
    (repository / 'changelogs/changelog.yaml').write_text('releases: {2.10.0: {}}\n')
    assert release.released_versions(repository) == [(2, 0, 0), (2, 10, 0)]


def test_two_lines_of_the_version_are_refused(repository):
    (repository / 'galaxy.yml').write_text('version: 2.0.0\nversion: 2.0.0\n')
    with pytest.raises(Refused, match=r'galaxy\.yml has 2 lines'):
        release.set_version(repository, '2.1.0')
