# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role said as it was applied to the image."""

import os
import pathlib

import pytest

LOGS = pathlib.Path(os.environ['FLEET_STATE'])


def said(run):
    return (LOGS / f'image-{run}.log').read_text()


def done(run):
    """Return the lines of what was done in a run, or was said to be."""
    return [line for line in said(run).splitlines() if line.startswith('        "')]


def test_check_mode_said_what_would_be_done():
    assert done('check') == done('first')


def test_what_is_left_to_the_boot_was_said():
    assert 'on a node that boots the image it loads the module, activates the list of the node' in said('first')


@pytest.mark.parametrize('run', ['second', 'directory'])
def test_another_run_had_nothing_to_do(run):
    assert 'changed=0' in said(run)
    assert 'failed=0' in said(run)


def test_the_package_manager_said_that_a_kernel_has_no_module():
    (line,) = [line for line in said('kernel').splitlines() if line.startswith('msr-safe: ')]
    assert line.startswith('msr-safe: there is no module for kernel 6.') and '-rt-' in line
