# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree of Debian packages, as mmdebstrap makes it."""

import os
import re
import subprocess

from fleet.errors import FleetError
from fleet.host import require_programs
from fleet.progress import run_with_progress

# Whatever ends a build ends all of its processes, and its mounts with them; without root mmdebstrap sees to that
ISOLATED = ('unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc')


def is_root():
    """Whether we need no user namespace."""
    return os.geteuid() == 0


def bootstrap(what, options, suite, target, sources, log_path):
    """Make `target`, a tree or, if it is named so, a .tar of it.

    what: the start of each progress line. options: mmdebstrap's. Raises FleetError.
    """
    require_programs('mmdebstrap')
    command = [
        *(ISOLATED if is_root() else ()),
        *('mmdebstrap', '--mode=root' if is_root() else '--mode=unshare'),
        *('--format=tar' if target.suffix == '.tar' else '--format=directory', *options),
        *(suite, target, *sources),
    ]
    with log_path.open('wb') as log:
        # Whoever needs an initial RAM disk makes its own
        code = run_with_progress(what, command, log, _milestone, {'INITRD': 'No'})
    if code:
        errors = re.findall(r'^E: (.*)', log_path.read_text(errors='replace'), re.MULTILINE)
        raise FleetError(
            f'{what} could not be built: {errors[0] if errors else f"mmdebstrap ended with {code}"}. '
            f'See {log_path}; `apt-get update` on this machine tells whether its mirror answers.'
        )


def bootstrap_as_ours(what, options, suite, directory, sources, log_path):
    """Make `directory`, all files of which are ours, also without root; devices are left out. Raises FleetError."""
    archive = directory.with_suffix('.tar')
    bootstrap(what, options, suite, archive, sources, log_path)
    directory.mkdir()
    unpack = ['tar', '--extract', '--no-same-owner', '--exclude=./dev/*', '--directory', directory]
    subprocess.run([*unpack, '--file', archive], check=True)
    archive.unlink()


def _milestone(line):
    """mmdebstrap's own steps, without its news of hooks."""
    found = re.match(r'I: ((?:running apt-get|downloading|extracting|installing|cleaning).*?)\.*$', line)
    return found and found[1]
