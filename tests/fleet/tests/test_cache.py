# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cache keeps."""

import os
import time

from fleet.cache import KEEP_UNUSED, cache_directory, prune, unfinished


def test_it_lies_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    assert cache_directory() == tmp_path / 'cache/hpc.msr_safe'
    assert cache_directory().is_dir()


def test_what_is_used_stays_and_what_is_not_goes(tmp_path):
    unfinished(tmp_path / 'image-6.1')
    for name, age in {'image-new': 0, 'image-recent': KEEP_UNUSED - 60, 'image-old': KEEP_UNUSED + 60}.items():
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, time.time() - age))
    prune(tmp_path.glob('image-*/'))
    assert {path.name for path in tmp_path.iterdir()} == {'image-new', 'image-recent'}


def test_an_attempt_begins_empty(tmp_path):
    (unfinished(tmp_path / 'image-6.1') / 'rest').touch()
    assert list(unfinished(tmp_path / 'image-6.1').iterdir()) == []
