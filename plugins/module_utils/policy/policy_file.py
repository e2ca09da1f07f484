# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The policy of a node in its file, from which the boot applies it."""

import json

from ..errors import MsrSafeError
from ..layout import NOTICE, POLICY
from .statement import describe_statement, parse_policy


def policy_text(statements):
    """Return the file's text: JSON, a statement a line."""
    lines = ',\n'.join('  ' + json.dumps(each, sort_keys=True) for each in statements)
    return '{\n "written_by": %s,\n "policy": [\n%s\n ]\n}\n' % (json.dumps(NOTICE), lines)


def read_policy(machine):
    """Return the Statements of this node's policy; None where it has none. Raises MsrSafeError."""
    text = machine.read_text(POLICY)
    if text is None:
        return None
    try:
        return parse_policy(json.loads(text)['policy'])
    except (ValueError, KeyError, TypeError, RecursionError, MsrSafeError) as error:
        raise MsrSafeError(
            '%s is damaged: it holds no policy: %s' % (POLICY, error),
            'Apply the role hpc.msr_safe.msr_safe to this node.',
        ) from error


def describe_policy(statements):
    """Return statements, as plain data, in words, a line each."""
    return ''.join(describe_statement(each) + '\n' for each in parse_policy(statements))
