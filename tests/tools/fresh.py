# SPDX-License-Identifier: GPL-3.0-or-later
"""Make targets on Debian systems that have nothing but git and make, from a clone of what is committed here.

    fresh.py [--release bookworm|trixie]… [TARGET…]        (default: both; demo test)

Needs root. Each system is a tree below build/fresh/, with this machine's mirror and its settings for apt and pip; it is
removed at the end, and of what killed us outright nothing but that tree is left, until the next time. Logs stay beside.
"""

import argparse
import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
sys.path[:0] = [str(TESTS / 'fleet')]

from fleet import mirror  # noqa: E402
from fleet.bootstrap import ISOLATED, bootstrap, is_root  # noqa: E402
from fleet.errors import FleetError  # noqa: E402
from fleet.host import require_space  # noqa: E402
from fleet.interrupt import Interrupted, raise_on_signals  # noqa: E402
from fleet.progress import run_with_progress, say  # noqa: E402
from results import table, write_page  # noqa: E402

PLACE = ROOT / 'build/fresh'
TARGETS = ['demo', 'test']
PACKAGES = ('git', 'make', 'ca-certificates')
SPACE = 12 << 30  # bytes: packages, virtual environments, images, kernels, nodes
CLONE = 'root/hpc.msr_safe'

# A root of its own that is a mount point, or programs inside could not have mounts of their own
ENTER = """\
set -eu
mount --bind "$TREE" "$TREE"
mount --rbind /dev "$TREE/dev"
mount -t proc proc "$TREE/proc"
mount -t sysfs -o ro sysfs "$TREE/sys"
mount -t tmpfs tmpfs "$TREE/run"
for directory in $BOUND; do
    mount --bind --options ro "$directory" "$TREE$directory"
done
exec chroot "$TREE" env --ignore-environment "$@"
"""
# What says how to reach mirrors and registries
SETTINGS = re.compile(r'PIP_\w+|\w+_proxy|\w+_PROXY|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE')
FILES = (
    '/etc/hosts',
    '/etc/resolv.conf',
    '/etc/pip.conf',
    '/etc/xdg/pip',
    '/etc/ssl/certs/ca-certificates.crt',
    '/usr/local/share/ca-certificates',
)
OF_HOME = ('.config/pip', '.pip')

# What run_stages.py, the demo, Ansible and we say when something begins
STEP = re.compile(r'\s*(\[ *\d+:\d\d\] (?:==>|<==).*|\d/7  .*|TASK \[.*\]|Installing .*|.*bin/pip install|Done in .*)')


@dataclass
class Result:
    """What became of a target on a release."""

    release: str
    target: str
    succeeded: bool
    seconds: float

    def row(self):
        return [self.release, f'make {self.target}', 'passed' if self.succeeded else 'FAILED', round(self.seconds / 60)]


class System:
    """A Debian of a release, in a tree."""

    def __init__(self, release):
        self.release = release
        self.directory = PLACE / release
        self.tree = self.directory / 'tree'

    def make(self):
        """Make it, with the clone in it."""
        self.remove()
        self.directory.mkdir(parents=True, exist_ok=True)
        require_space(self.directory, SPACE)
        options = ['--variant=minbase', f'--include={",".join(PACKAGES)}', '--dpkgopt=force-unsafe-io']
        options += [f'--aptopt={option}' for option in mirror.options()]
        log = self.directory / 'bootstrap.log'
        bootstrap(self.release, options, self.release, self.tree, mirror.sources(self.release), log)
        for path in map(Path, FILES):
            self.copy(path, path)
        for path in OF_HOME:
            self.copy(Path.home() / path, Path('/root') / path)
        clone = ['git', '-c', 'safe.directory=*', 'clone', '--quiet', '--no-hardlinks', ROOT, self.tree / CLONE]
        subprocess.run(clone, check=True)

    def copy(self, source, target):
        """Copy a file or a directory of this machine, if it is there, to a path of the system."""
        inside = self.tree / target.relative_to('/')
        inside.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, inside, dirs_exist_ok=True)
        elif source.exists():
            inside.unlink(missing_ok=True)
            shutil.copyfile(source, inside)

    def run(self, target):
        """Make a target of the clone; returns the Result."""
        started = time.monotonic()
        for path in pip_paths():
            if path.is_dir():
                (self.tree / path.relative_to('/')).mkdir(parents=True, exist_ok=True)
            else:
                self.copy(path, path)
        bound = ' '.join(shlex.quote(str(path)) for path in pip_paths() if path.is_dir())
        environment = {name: value for name, value in os.environ.items() if SETTINGS.fullmatch(name)}
        environment |= {'HOME': '/root', 'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'}
        inside = [*(f'{name}={value}' for name, value in environment.items()), 'make', '-C', f'/{CLONE}', target]
        # Whatever ends us ends all of it
        command = ['setpriv', '--pdeathsig', 'KILL', *ISOLATED, 'sh', '-c', ENTER, 'sh', *inside]
        log_path = self.directory / f'{target}.log'
        with log_path.open('wb') as log:
            what = f'{self.release} make {target}'
            code = run_with_progress(what, command, log, step, {'TREE': str(self.tree), 'BOUND': bound}, interval=60)
        self.keep_logs()
        if code:
            print(*log_path.read_text(errors='replace').splitlines()[-60:], f'See {self.directory}', sep='\n')
        return Result(self.release, target, code == 0, time.monotonic() - started)

    def keep_logs(self):
        """Keep what the clone's stages said."""
        logs = self.tree / CLONE / 'build/logs'
        if logs.exists():
            shutil.copytree(logs, self.directory / 'logs', dirs_exist_ok=True)

    def remove(self):
        """Remove the tree; no process and no mount of it is left once we are here."""
        if self.tree.exists():
            subprocess.run(['rm', '--recursive', '--force', '--one-file-system', self.tree], check=True)


def step(line):
    found = STEP.match(re.sub(r'\x1b\[[0-9;]*m', '', line))
    return found and found[1]


def pip_paths():
    """The files and directories of this machine that pip's settings name."""
    listing = subprocess.check_output([sys.executable, '-m', 'pip', 'config', 'list'], text=True)
    values = [ast.literal_eval(line.partition('=')[2]) for line in listing.splitlines()]
    words = [word.removeprefix('file://') for value in values for word in str(value).split()]
    paths = [Path(word) for word in words if word.startswith('/') and Path(word).exists()]
    # The pages of an index, in `simple`, link to files beside it
    return [path.parent if path.name == 'simple' else path for path in paths]


def try_release(release, targets):
    """Make a system of a release, and the targets in it; returns their Results."""
    system = System(release)
    try:
        system.make()
        return [system.run(target) for target in targets]
    finally:
        system.remove()


def main():
    raise_on_signals()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--release', action='append', choices=mirror.RELEASES)
    parser.add_argument('targets', metavar='TARGET', nargs='*', default=TARGETS)
    arguments = parser.parse_args()
    releases = arguments.release or mirror.RELEASES
    try:
        if not is_root():
            raise FleetError('the systems are entered with chroot, which takes root: sudo make test-fresh')
        results = [result for release in releases for result in try_release(release, arguments.targets)]
    except FleetError as error:
        print(f'fresh: {error}', file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print(f'fresh: {interrupted}', file=sys.stderr)
        return interrupted.exit_code
    shown = table(['Debian', 'command', 'result', 'minutes'], [result.row() for result in results])
    if (tuple(releases), arguments.targets) == (mirror.RELEASES, TARGETS):
        say(write_page('fresh', 'On a machine with nothing but git and make', 'make test-fresh', shown))
    print(shown)
    return 0 if all(result.succeeded for result in results) else 1


if __name__ == '__main__':
    sys.exit(main())
