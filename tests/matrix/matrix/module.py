# SPDX-License-Identifier: GPL-3.0-or-later
"""The module, compiled for one kernel, with the registers of the processor or with simulated ones."""

import re
import runpy
import shutil
import subprocess
from pathlib import Path

from fleet.bootstrap import ISOLATED, is_root
from fleet.errors import FleetError
from fleet.progress import say

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / 'files/kmod'

# In the kernel's own tree, whose compiler it wants
CHROOT = 'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
MAKE = ('make', '-C', '/kmod', 'W=1', 'KCFLAGS=-Werror')


def compile_module(kernel, goal, target):
    """Compile for a Kernel that is ready; beside the file `target` there will be make's log.

    goal: of files/kmod/Makefile. Returns the warnings. Raises FleetError if it cannot be compiled.
    """
    say(f'{kernel.name}: compiling {target.name} for {kernel.release}')
    target.parent.mkdir(parents=True, exist_ok=True)
    inside = kernel.tree / 'kmod'
    shutil.rmtree(inside, ignore_errors=True)
    shutil.copytree(SOURCE, inside)
    isolated = ISOLATED if is_root() else (*ISOLATED, '--map-root-user')
    version = runpy.run_path(ROOT / 'plugins/module_utils/version.py')['VERSION']
    make = (*MAKE, f'KERNEL_RELEASE={kernel.release}', f'VERSION={version}', goal)
    log = target.with_suffix('.log')
    with log.open('wb') as output:
        command = [*isolated, 'sh', '-c', CHROOT, kernel.tree, *make]
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
    if code:
        raise FleetError(f'the module does not compile for {kernel.name} ({kernel.release}). See {log}')
    shutil.copyfile(inside / 'msr-safe.ko', target)
    return _warnings(log.read_text(errors='replace'))


def _warnings(log):
    """What compiler, modpost or make complain of, but that another compiler built the kernel, which says nothing."""
    return [line for line in log.splitlines() if re.search(r'\bwarning: (?!the compiler differs)', line, re.IGNORECASE)]
