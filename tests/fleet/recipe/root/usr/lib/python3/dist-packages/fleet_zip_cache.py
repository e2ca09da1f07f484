# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled code of the Python sources in zip archives, kept by the sources' hash.

Ansible sends each module as a zip of sources, and Python keeps nothing of what it compiles out of a zip: on an emulated
node that is most of the module's time. Every Python here imports this file, by the .pth beside it.
"""

import _imp
import marshal
import os
import sys
import zipimport

CACHE = '/var/cache/fleet/' + sys.implementation.cache_tag

_compile_anew = zipimport._compile_source


def _compile_source(pathname, source):
    kept = os.path.join(CACHE, _imp.source_hash(0, source).hex())
    try:
        with open(kept, 'rb') as file:
            code = marshal.load(file)
    except (OSError, EOFError, ValueError, TypeError):  # not there, or not whole
        code = _compile_anew(pathname, source)
        _keep(code, kept)
    else:
        _imp._fix_co_filename(code, pathname)
    return code


def _keep(code, path):
    """Keep the code, where we may: only root writes what root will run."""
    beside = '%s.%d' % (path, os.getpid())
    try:
        os.makedirs(CACHE, exist_ok=True)
        with open(beside, 'wb') as file:
            marshal.dump(code, file)
        os.replace(beside, path)
    except OSError:
        pass


zipimport._compile_source = _compile_source
