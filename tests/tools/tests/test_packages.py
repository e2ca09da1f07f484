# SPDX-License-Identifier: GPL-3.0-or-later
"""What packages hold is what the role writes."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / 'build' / 'collections'))

from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import NOTICE  # noqa: E402
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine  # noqa: E402
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import dkms, files, others  # noqa: E402
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.collection import COLLECTION  # noqa: E402
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.observation import (  # noqa: E402
    commands_files,
    observe_commands,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.own_packages import (  # noqa: E402
    observe_own_packages,
    paths_of_package,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.tree import read_tree  # noqa: E402
from ansible_collections.hpc.msr_safe.plugins.module_utils.version import VERSION  # noqa: E402

TOOLS, SOURCE = 'hpc-msr-safe', 'hpc-msr-safe-dkms'


@pytest.fixture(scope='module')
def trees(tmp_path_factory):
    """The root file system of each package, as a machine."""
    directory = tmp_path_factory.mktemp('trees')
    environment = dict(os.environ, PYTHONPATH=str(ROOT / 'build' / 'collections'))
    subprocess.run([sys.executable, ROOT / 'packaging' / 'trees.py', directory], env=environment, check=True)
    return {package: Machine(str(directory / package)) for package in (TOOLS, SOURCE)}


def test_the_commands_are_those_of_the_role(trees):
    tree = read_tree(trees[TOOLS].path('/usr/lib/msr-safe/hpc_msr_safe'))
    assert tree == COLLECTION.library()
    for path, content in commands_files(tree).items():
        packaged = trees[TOOLS].read(path)
        assert packaged.splitlines()[2:] == content.splitlines()[2:], path
        assert os.access(trees[TOOLS].path(path), os.X_OK) == ('/sbin/' in path), path
    assert observe_commands(trees[TOOLS]) != COLLECTION.digests['commands_digest']  # By the line that says who wrote it


def test_unit_and_rules_say_what_the_role_would_by_default(trees):
    modes = {'msr_safe': '0660', 'msr_batch': '0660', 'msr_approved_list': '0600', 'msr_safe_version': '0440'}
    wanted = {files.VENDOR_UNIT: files.unit_text(), files.VENDOR_UDEV: files.udev_text('msr', modes)}
    for path, text in wanted.items():
        packaged = trees[TOOLS].read_text(path)
        assert files.without_comments(packaged) == files.without_comments(text)
        assert NOTICE not in packaged and others.is_ours(trees[TOOLS], path)


def test_the_source_is_what_dkms_would_get_from_the_role(trees):
    tree = read_tree(trees[SOURCE].path(dkms.source_directory(VERSION)))
    wanted = COLLECTION.dkms_source()
    configuration, of_role = tree.pop('dkms.conf'), wanted.pop('dkms.conf')
    assert tree == wanted
    assert configuration.splitlines()[1:] == of_role.splitlines()[1:]


def test_the_lists_of_all_tiers_are_there(trees):
    packaged = pathlib.Path(trees[TOOLS].path('/usr/share/msr-safe/approved_lists'))
    assert (packaged / 'al_0655').read_bytes() == (ROOT / 'approved_lists' / 'al_0655').read_bytes()
    assert (packaged / 'monitor' / 'al_1911').exists() and not (packaged / 'source').exists()


def test_the_role_recognizes_each_and_knows_its_paths(trees):
    for package, machine in trees.items():
        assert observe_own_packages(machine) == {package: VERSION}
        for path in paths_of_package(package, VERSION):
            assert machine.exists(path), path
