# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.sign import how_to_sign, sign_module
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import KERNEL
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.module_file import SIGNATURE

NONE = {'sign_key': None, 'sign_certificate': None, 'sign_command': None, 'artifacts': '/srv/modules'}
KEY = {'key': '/k', 'certificate': '/c'}
PROGRAM = '/lib/modules/%s/build/scripts/sign-file' % KERNEL


@pytest.mark.parametrize(
    'settings, how',
    [
        ({}, None),
        ({'sign_key': '/k', 'sign_certificate': '/c'}, KEY),
        ({'sign_command': "/opt/hsm/sign --slot 'a b'"}, {'command': ['/opt/hsm/sign', '--slot', 'a b']}),
    ],
)
def test_how_a_module_is_signed(settings, how):
    assert how_to_sign(dict(NONE, **settings)) == how


@pytest.mark.parametrize(
    'settings, words',
    [
        ({'sign_key': '/k'}, 'a key and its certificate'),
        ({'sign_certificate': '/c'}, 'a key and its certificate'),
        ({'sign_key': '/k', 'sign_certificate': '/c', 'sign_command': 'x'}, 'a key and its certificate'),
        ({'sign_command': 'x', 'artifacts': None}, 'msr_safe_builder'),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, words):
    with pytest.raises(MsrSafeError, match=words):
        how_to_sign(dict(NONE, **settings))


@pytest.fixture
def signer(node, tmp_path):
    """A node on which signing appends a signature to the file that is the last word."""
    node.put(PROGRAM, '')
    node.module = tmp_path / 'msr-safe.ko'
    node.module.write_bytes(b'module')
    for program in (PROGRAM, '/opt/sign'):
        node.effects[program] = lambda arguments: sign(arguments[-1])
        node.answers[program] = (0, '')
    return node


def sign(path):
    with open(path, 'ab') as stream:
        stream.write(SIGNATURE)


def test_signs_with_the_program_of_the_kernel(signer):
    sign_module(signer.machine, str(signer.module), KEY, KERNEL)
    assert signer.commands == [[PROGRAM, 'sha256', '/k', '/c', str(signer.module)]]
    assert signer.module.read_bytes() == b'module' + SIGNATURE


def test_signs_with_a_command_of_the_site(signer):
    sign_module(signer.machine, str(signer.module), {'command': ['/opt/sign', '--slot', '1']}, KERNEL)
    assert signer.commands == [['/opt/sign', '--slot', '1', str(signer.module)]]


@pytest.mark.parametrize(
    'answer, words', [((1, 'At main.c:\n- SSL error: no such file'), 'SSL error'), ((0, ''), 'no signature')]
)
def test_what_is_not_signed_is_a_failure(signer, answer, words):
    del signer.effects[PROGRAM]
    signer.answers[PROGRAM] = answer
    with pytest.raises(MsrSafeError, match=words):
        sign_module(signer.machine, str(signer.module), KEY, KERNEL)


def test_headers_without_the_program_are_said(signer):
    signer.remove(PROGRAM)
    with pytest.raises(MsrSafeError, match='msr_safe_sign_command'):
        sign_module(signer.machine, str(signer.module), KEY, KERNEL)
