# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""What action plugins send to their modules is told from what users may say: by its name, and by its first words."""

import importlib
import pathlib

import pytest
import yaml
from ansible_collections.hpc.msr_safe import plugins
from ansible_collections.hpc.msr_safe.plugins.modules import msr_safe_plan

MODULES = sorted(path.stem for path in pathlib.Path(msr_safe_plan.__file__).parent.glob('msr*.py'))


@pytest.mark.parametrize('name', MODULES)
def test_an_option_begins_with_an_underscore_if_and_only_if_it_says_that_it_is_not_for_users(name):
    module = importlib.import_module('%s.modules.%s' % (plugins.__name__, name))
    options = yaml.safe_load(module.DOCUMENTATION).get('options') or {}
    first = {option: ''.join(described['description'])[:13] for option, described in options.items()}
    assert {option for option in options if option[0] == '_'} == {
        option for option, words in first.items() if words == 'Not for users'
    }
