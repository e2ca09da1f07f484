# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what a release writes, for later ones to be tested with: tests/unit/releases/NAME.

    release_fixtures.py COMMIT NAME

The code of the commit itself makes it, on the fake node of its own unit tests: a snapshot by msrsave, with a register
that differs between CPUs and one that faults, and what the registers held; beside them the list of Skylake-SP as it was
shipped.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASES = ROOT / 'tests/unit/releases'
SHIPPED = 'approved_lists/al_0655'

# Runs in the commit's own tests, with their fixture
WRITER = """\
import json
import os

from ansible_collections.hpc.msr_safe.plugins.module_utils.commands.msrsave import main
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils import fake_node
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import MISC_ENABLE, PREFETCHERS


def test_write(node):
    for cpu in range(4):
        node.registers[cpu, MISC_ENABLE] = 0x850089 | (fake_node.TURBO_OFF if cpu == 2 else 0)
        node.registers[cpu, PREFETCHERS] = 0x5
    node.faults.add((3, PREFETCHERS))
    assert main(['/root/snapshot.json'], node.machine) in (0, 3)
    out = os.environ['RELEASE_FIXTURE']
    with open(os.path.join(out, 'snapshot.json'), 'w') as stream:
        stream.write(node.get('/root/snapshot.json'))
    held = [[cpu, address, hex(value)] for (cpu, address), value in sorted(node.registers.items())]
    with open(os.path.join(out, 'registers.json'), 'w') as stream:
        json.dump([each for each in held if (each[0], each[1]) not in node.faults], stream)
        stream.write('\\n')
"""


def main():
    commit, name = sys.argv[1:]
    place = keep(commit, name)
    print(f'{place.relative_to(ROOT)}: what {commit} writes')


def keep(commit, name, root=ROOT):
    """Write the fixtures of a commit of the repository at root; return their directory."""
    place = root / RELEASES.relative_to(ROOT) / name
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        tree = pathlib.Path(directory, 'ansible_collections/hpc/msr_safe')
        tree.mkdir(parents=True)
        archive = subprocess.run(['git', '-C', root, 'archive', commit], stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(['tar', '--extract', f'--directory={tree}'], input=archive, check=True)
        writer = tree / 'tests/unit/plugins/module_utils/test_release_fixture.py'
        writer.write_text(WRITER)
        environment = dict(os.environ, PYTHONPATH=directory, RELEASE_FIXTURE=str(place.resolve()))
        pytest = [
            sys.executable,
            '-m',
            'pytest',
            '--quiet',
            '-p',
            'no:cacheprovider',
            '--import-mode=importlib',
            writer,
        ]
        done = subprocess.run(
            pytest,
            cwd=directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f'{commit} does not write its fixtures:\n{done.stdout}')
        (place / 'approved_list').write_text((tree / SHIPPED).read_text())
    return place


if __name__ == '__main__':
    main()
