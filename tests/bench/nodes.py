# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast msrsave is on virtual nodes, one after the other, against rdmsr -a; where its time goes.

usage: nodes.py [CPUS…]   (default: 4 16 64, and the result on docs/results/registers.md)
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / 'build' / 'bench-registers'
PAGE = ROOT / 'docs' / 'results' / 'registers.md'
FASTER, SHARE = 20, 2
PARTS = ('python start', 'imports', 'library', 'ioctl', 'file')

HEADING = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by `make bench` -->
# How fast registers are saved

`msrsave` of 400 registers of every CPU, against a loop of `rdmsr -a` over the same registers with the kernel's own
driver. On virtual nodes (QEMU without KVM, two cores of the host for all CPUs), {date}: compare times with each other,
they are not those of a real node. Medians of five runs, of the loop one run.
Emulation slows Python far more than it slows a register: library/ioctl says more about QEMU than about either.

"""

SPEC = """\
nodes:
  - name: bench
    cpu: Skylake-Server
    cpus: {cpus}
    memory: {memory}
    vars:
      msr_safe_builder: localhost
      msr_safe_builder_become: false
      msr_safe_build_directory: {build}/builder
      msr_safe_artifacts: {build}/artifacts
"""


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, text=True, **options)


def fleet(state, *arguments):
    run(sys.executable, ROOT / 'tests/fleet/fleet', *arguments, '--state', state, '--timeout', 900)


def measure(cpus):
    """Boot a node, give it msr-safe, and return what it measured."""
    state = BUILD / str(cpus)
    state.mkdir(parents=True, exist_ok=True)
    spec = state / 'nodes.yml'
    spec.write_text(SPEC.format(cpus=cpus, memory='4G' if cpus > 16 else '1G', build=BUILD))
    fleet(state, 'up', '--spec', spec)
    try:
        run('ansible-playbook', 'hpc.msr_safe.site', '-i', state / 'inventory.yml', stdout=subprocess.DEVNULL)
        ssh = ['ssh', '-F', state / 'ssh_config', 'bench']
        for name in ('split.py', 'measure.py'):
            run(*ssh, f'cat > /root/{name}', input=(Path(__file__).parent / 'on_node' / name).read_text())
        return json.loads(run(*ssh, 'python3 /root/measure.py', stdout=subprocess.PIPE).stdout)
    finally:
        fleet(state, 'down')


def meets_targets(result):
    """Return whether a node's result is as the targets want it."""
    is_fast = result['rdmsr -a'] / result['msrsave'] >= FASTER
    is_thin = result['library'] / result['ioctl'] <= SHARE
    return (result['cpus'] != 16 or is_fast) and (result['cpus'] != 64 or is_thin)


def render(results):
    """Return the results as tables."""
    lines = ['| CPUs | `rdmsr -a` | `msrsave` | times faster | file |', '|---|---|---|---|---|']
    for each in results:
        lines.append(
            f'| {each["cpus"]} | {each["rdmsr -a"]:.2f} s | {each["msrsave"]:.2f} s '
            f'| {each["rdmsr -a"] / each["msrsave"]:.0f} | {each["file size"] / 1000:.0f} kB |'
        )
    lines += ['', '| CPUs | ' + ' | '.join(PARTS) + ' | library/ioctl |', '|---' * (len(PARTS) + 2) + '|']
    for each in results:
        times = ' | '.join(f'{each[part] * 1000:.0f} ms' for part in PARTS)
        lines.append(f'| {each["cpus"]} | {times} | {each["library"] / each["ioctl"]:.1f} |')
    return '\n'.join(lines) + '\n'


def main():
    os.environ['ANSIBLE_HOST_KEY_CHECKING'] = 'False'
    results = [measure(int(cpus)) for cpus in sys.argv[1:] or (4, 16, 64)]
    print(render(results))
    if len(sys.argv) == 1:
        PAGE.write_text(HEADING.format(date=time.strftime('%Y-%m-%d')) + render(results))
    return 0 if all(map(meets_targets, results)) else 1


if __name__ == '__main__':
    sys.exit(main())
