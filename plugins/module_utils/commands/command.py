# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A command: how it ends, whatever happens."""

import os
import sys

from ..errors import MsrSafeError
from ..machine import root_remedy


def exit_status(name, function, *arguments, failure=1):
    """Call a command's function and return its exit status, an error said in words on stderr.

    failure: the exit status of an error.
    """
    try:
        status = function(*arguments)
        sys.stdout.flush()
        return status
    except MsrSafeError as error:
        say('%s: %s\n' % (name, error), sys.stderr)
        return failure
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us is gone: keep Python from trying once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        what = 'cannot write the output' if error.filename is None else error.filename
        remedy = root_remedy(error)
        say('%s: %s: %s.%s\n' % (name, what, error.strerror, ' ' + remedy if remedy else ''), sys.stderr)
        return failure


def counted(number, noun):
    """Return a number of things in words: ``1 register``, ``2 registers``."""
    return '%d %s%s' % (number, noun, '' if number == 1 else 's')


def say(text, stream=None):
    """Write text to stdout or another stream, with escapes for what its encoding does not have."""
    stream = stream or sys.stdout
    encoding = stream.encoding or 'ascii'
    stream.write(text.encode(encoding, 'backslashreplace').decode(encoding))
