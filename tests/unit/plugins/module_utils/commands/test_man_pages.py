# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Man pages and completion have every option of the commands, and no other."""

import argparse
import os
import re

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands import msr_safe, msrsave

FILES = os.path.join(os.path.dirname(msrsave.__file__), '..', '..', '..', 'files')
PARSERS = {'msrsave': msrsave.build_parser(), 'msr-safe': msr_safe.build_parser()}


def options_of(parser):
    """Return the long options of a parser and its commands."""
    options = {option for action in parser._actions for option in action.option_strings if option.startswith('--')}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            options = options.union(*(options_of(each) for each in action.choices.values()))
    return options


def text_of(*path):
    with open(os.path.join(FILES, *path)) as stream:
        return stream.read()


@pytest.mark.parametrize('command', sorted(PARSERS))
def test_the_man_page_has_every_option(command):
    text = text_of('man', command + '.8').replace('\\-', '-')
    named = set(re.findall(r'--[a-z][a-z-]+', text))
    assert named >= options_of(PARSERS[command]) - {'--help', '--version'}
    assert named <= options_of(PARSERS[command])


@pytest.mark.parametrize('command', sorted(PARSERS))
def test_completion_has_every_option(command):
    assert set(re.findall(r'--[a-z][a-z-]+', text_of('completion', command))) == options_of(PARSERS[command])


def test_the_man_page_has_every_command_and_exit_status():
    text = text_of('man', 'msr-safe.8')
    for command in ('show', 'diff', 'load', 'clear', 'lint', 'policy', 'select'):
        assert '.B %s\n' % command in text
    for status in range(4):
        assert '.B %d\n' % status in text
        assert '.B %d\n' % status in text_of('man', 'msrsave.8')
