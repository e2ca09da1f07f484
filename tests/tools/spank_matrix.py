# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile the SPANK plugin for old and new Slurms, with old compilers and this machine's, all unpacked in a directory.

spank_matrix.py DIRECTORY

Each is compiled with warnings as errors, and as the role does on a node. Ends with 1 where one is not as it should be.
"""

import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import sys

TESTS = pathlib.Path(__file__).parents[1]
SOURCE = TESTS.parent / 'files/spank'
sys.path[:0] = [str(TESTS / 'fleet'), str(TESTS / 'matrix')]

from fleet import mirror  # noqa: E402
from fleet.bootstrap import ISOLATED, bootstrap_as_ours, is_root  # noqa: E402
from matrix.module import CHROOT  # noqa: E402

# Debian's releases with the Slurm that each has: 20.11, 22.05, 24.11 and the newest
HEADERS = ('bullseye', 'bookworm', 'trixie', 'sid')
# Ubuntu 20.04 has both: 7.5 is the one of SLES 15, 8.4 next to EL8's 8.5
COMPILERS = ('gcc-7', 'gcc-8')
OLD_RELEASE = 'focal'
UBUNTU = 'http://archive.ubuntu.com/ubuntu'
KEYRING = 'usr/share/keyrings/ubuntu-archive-keyring.gpg'  # of Debian's package, in sid


class Headers:
    """The headers of a Slurm, in a directory."""

    def __init__(self, include):
        self.include = include
        # It is in a file of its own, slurm_version.h, since 21.08
        text = ''.join(path.read_text() for path in sorted((include / 'slurm').glob('slurm*.h')))
        self.number = int(re.search(r'define SLURM_VERSION_NUMBER\s+(0x[0-9a-f]+)', text)[1], 16)

    @property
    def version(self):
        """As `slurmd -V` has it: 22.05.8."""
        return '%d.%02d.%d' % (self.number >> 16, self.number >> 8 & 0xFF, self.number & 0xFF)

    @property
    def names_itself(self):
        """Whether a plugin says for which Slurm it is: 20.11's do not."""
        return 'spank_plugin_version' in (self.include / 'slurm/spank.h').read_text()

    @property
    def another_version(self):
        return '%d.%02d.0' % ((self.number >> 16) + 1, self.number >> 8 & 0xFF)


def main():
    directory = pathlib.Path(sys.argv[1]).absolute()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    headers = {suite: unpack_headers(directory / suite, suite) for suite in HEADERS}
    tree = unpack_compilers(directory / OLD_RELEASE, directory / HEADERS[-1] / KEYRING)
    faults = 0
    for each in headers.values():
        for compiler, inside in [('cc', None), *((name, tree) for name in COMPILERS)]:
            problem = problem_with(each, compiler, inside, directory / f'{each.version}-{compiler}')
            print('Slurm %-9s %-14s %s' % (each.version, version_of(compiler, inside), problem or 'no warning'))
            faults += bool(problem)
    sys.exit(1 if faults else 0)


def unpack_headers(directory, suite):
    # What a suite had when it was released suffices, and stays
    sources = [source for source in mirror.sources(suite) if f' {suite} ' in source]
    unpack(directory, suite, sources, 'extract', ['libslurm-dev', *(['ubuntu-keyring'] if suite == 'sid' else [])])
    return Headers(directory / 'usr/include')


def unpack_compilers(directory, keyring):
    source = f'deb [signed-by={keyring}] {UBUNTU} {OLD_RELEASE} main universe'
    unpack(directory, OLD_RELEASE, [source], 'minbase', [*COMPILERS, 'libc6-dev', 'make'])
    return directory


def unpack(directory, suite, sources, variant, packages):
    options = [f'--variant={variant}', '--include=' + ','.join(packages)]
    options += [f'--aptopt={option}' for option in mirror.options()]
    options += ['--dpkgopt=force-unsafe-io', '--dpkgopt=path-exclude=/usr/share/doc/*']
    bootstrap_as_ours(suite, options, suite, directory, sources, directory.with_suffix('.log'))


def problem_with(headers, compiler, tree, out):
    """Return what is wrong with the plugin for a Slurm by a compiler, in words, or None. tree: where that is."""
    strict, output = make(headers, compiler, tree, out, 'CFLAGS=-O2 -g -Werror')
    if not strict:
        return 'does not compile without a warning:\n' + output
    if headers.names_itself and plugin_version(out / 'msr_safe.so') != headers.number:
        return 'says that it is for another Slurm'
    as_role, output = make(headers, compiler, tree, out, 'WANTED=' + headers.version)
    if not as_role or 'warning' in output:
        return 'does not compile as the role does it:\n' + output
    wrong, _output = make(headers, compiler, tree, out, 'WANTED=' + headers.another_version)
    return 'is compiled where another Slurm is wanted' if wrong else None


def make(headers, compiler, tree, out, *settings):
    """Compile into `out`; return whether that succeeded, and what was said."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(SOURCE, out)
    command = ['make', '-C', out, f'CC={compiler}', f'CPPFLAGS=-I{headers.include}', *settings]
    if not tree:
        return run(command)
    for path in (out, headers.include):
        inside = tree / path.relative_to('/')
        shutil.rmtree(inside, ignore_errors=True)
        shutil.copytree(path, inside)
    succeeded, output = run([*in_tree(tree), *command])
    if succeeded:
        shutil.copy(tree / out.relative_to('/') / 'msr_safe.so', out)
    return succeeded, output


def version_of(compiler, tree):
    _succeeded, output = run([*(in_tree(tree) if tree else []), compiler, '-dumpfullversion'])
    return f'{compiler} {output.strip()}'


def in_tree(tree):
    return [*ISOLATED, *([] if is_root() else ['--map-root-user']), 'sh', '-c', CHROOT, tree]


def run(command):
    done = subprocess.run(
        command,
        env=dict(os.environ, LC_ALL='C.UTF-8', MAKEFLAGS=''),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout


def plugin_version(path):
    """Return the number of the Slurm that a plugin says it is for, as Slurm asks before it loads one."""
    return ctypes.c_uint32.in_dll(ctypes.CDLL(path, mode=os.RTLD_LAZY), 'plugin_version').value


if __name__ == '__main__':
    main()
