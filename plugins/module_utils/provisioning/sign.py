# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Signing a module where it is built, for kernels that load signed ones only.

The key is the builder's: its path travels there, itself nowhere.
"""

import hashlib
import json
import shlex

from ..errors import MsrSafeError
from ..hardware.module_file import SIGNATURE_END

# A hash that every kernel knows which checks signatures (CONFIG_MODULE_SIG_SHA256 is its default up to 6.6)
HASH = 'sha256'


def how_to_sign(settings):
    """Return how a module is signed: ``{'command': [word]}`` or ``{'key', 'certificate'}``, paths; None if it is not.

    Raises MsrSafeError where the settings contradict each other.
    """
    key, certificate, command = (settings['sign_' + name] for name in ('key', 'certificate', 'command'))
    if not (key or certificate or command):
        return None
    if settings['artifacts'] is None:
        raise MsrSafeError(
            'A module is signed by a builder, and there is none: a key does not belong on nodes.',
            'Set msr_safe_builder.',
        )
    if command and not (key or certificate):
        return {'command': shlex.split(command)}
    if command or not (key and certificate):
        raise MsrSafeError(
            'To sign, a key and its certificate are needed, or else a command.',
            'Set msr_safe_sign_key and msr_safe_sign_certificate, or msr_safe_sign_command alone.',
        )
    return {'key': key, 'certificate': certificate}


def digest_way_to_sign(sign):
    """Return hex digits, others for every other way to sign (as from how_to_sign): of the paths, not of a key."""
    return hashlib.sha256(json.dumps(sign, sort_keys=True).encode('utf-8')).hexdigest()


def sign_module(machine, path, sign, release):
    """Sign the module in a file, by its path for this process. Raises MsrSafeError where it is not signed then."""
    code, output = machine.run([*sign_command(machine, sign, release), path])
    with open(path, 'rb') as stream:
        is_signed = stream.read().endswith(SIGNATURE_END)
    if code != 0 or not is_signed:
        said = ' '.join(output.split()) or 'no output'
        raise MsrSafeError(
            'The module was built, and could not be signed: %s (exit %d, %s signature).'
            % (said, code, 'a' if is_signed else 'no'),
            'Look at the key, and whether the user who builds may read it; msr_safe_sign_command gets the path of the '
            'module as its last word.',
        )


def sign_command(machine, sign, release):
    """Return the command that signs, less the path of the module. sign-file is in the kernel's headers."""
    if 'command' in sign:
        return sign['command']
    program = '/lib/modules/%s/build/scripts/sign-file' % release
    if not machine.exists(program):
        raise MsrSafeError(
            'The headers of kernel %s have no program to sign modules: %s is missing.' % (release, program),
            'Set msr_safe_sign_command.',
        )
    return [program, HASH, sign['key'], sign['certificate']]
