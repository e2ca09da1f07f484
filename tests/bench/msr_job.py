# SPDX-License-Identifier: GPL-3.0-or-later
"""What prolog and epilog take natively on a node with 128 CPUs and 400 registers, and where the time goes.

The node is a directory, its registers are in a file (registers_in_a_file.c): what is measured is the command as slurmd
starts it, in CPU time, without what the processors take for their registers. Its own list lets half of the registers be
written, that of the job all.
"""

import array
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
INCLUDE = f'-I{ROOT}/files/kmod/include/uapi'
CPUS, REGISTERS, FIRST = 128, 400, 0x600
ROUNDS = 20
MOST = 60  # ms, both together

COMMAND = """\
import sys, time
started = time.process_time()
sys.dont_write_bytecode = True
sys.path.insert(0, {library!r})
from hpc_msr_safe.commands.msr_job import main
from hpc_msr_safe.machine import Machine
imported = time.process_time()
status = main(machine=Machine({root!r}))
print('spent %f %f' % (imported - started, time.process_time() - imported))
sys.exit(status)
"""


def registers():
    """Values as a node of two packages has them: most are equal everywhere, some differ by package, core or CPU."""
    source = random.Random(256)
    columns = []
    for number in range(REGISTERS):
        groups = CPUS if number < 8 else CPUS // 2 if number < 12 else 2 if number < 100 else 1
        values = [source.getrandbits(48) for _group in range(groups)]
        columns.append([values[cpu * groups // CPUS] for cpu in range(CPUS)])
    return array.array('Q', [columns[number][cpu] for cpu in range(CPUS) for number in range(REGISTERS)])


def make_node(root):
    names = [f'0x{FIRST + number:08X} 0x{{:016X}} # MSR_REGISTER_{number}\n' for number in range(REGISTERS)]
    own = ''.join(name.format(0xFFFFFF if number % 2 else 0) for number, name in enumerate(names))
    for path, text in {
        'proc/cpuinfo': 'vendor_id: GenuineIntel\ncpu family: 6\nmodel: 85\nstepping: 7\nmodel name: x\n',
        'proc/sys/kernel/hostname': 'n1\n',
        'proc/devices': 'Character devices:\n240 msr_safe\n',
        'sys/devices/system/cpu/online': f'0-{CPUS - 1}\n',
        'sys/module/msr_safe/refcnt': '0\n',
        'dev/cpu/msr_batch': '',
        'dev/cpu/msr_approved_list': '',
        'etc/msr-safe/approved_list': own,
        'etc/msr-safe/profiles/monitor': ''.join(name.format(0) for name in names),
        'etc/msr-safe/profiles/power': ''.join(name.format(0xFFFFFFFFFFFF) for name in names),
        'etc/msr-safe/jobs.conf': '[job]\nexclusive = main\n[profile monitor]\n[profile power]\nusers = alice\n',
        'registers': registers().tobytes(),
    }.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())


def run(script, root, *arguments):
    """Run msr-job; return the milliseconds (CPU time) of it all, of imports, and of work."""
    environment = {
        'LD_PRELOAD': str(root / 'devices.so'),
        'REGISTERS': str(root / 'registers'),
        'FIRST': str(FIRST),
        'WIDTH': str(REGISTERS),
        'SLURM_JOB_ID': '42',
        'SLURM_JOB_UID': '1000',
        'SLURM_JOB_USER': 'alice',
        'SLURM_JOB_PARTITION': 'main',
        'SLURMD_NODENAME': 'n1',
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        ['/usr/bin/python3', '-IS', script, *arguments], env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(done.stdout.splitlines()) == 1, done.stdout
    total = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    imports, work = map(float, done.stdout.split()[1:])
    return 1000 * total, 1000 * imports, 1000 * work


def main():
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        make_node(root)
        compiler = ['cc', '-O2', '-shared', '-fPIC', '-o', root / 'devices.so']
        subprocess.run([*compiler, Path(__file__).parent / 'registers_in_a_file.c', INCLUDE, '-ldl'], check=True)
        shutil.copytree(ROOT / 'plugins/module_utils', root / 'library/hpc_msr_safe')
        subprocess.run(['/usr/bin/python3', '-I', '-m', 'compileall', '-q', root / 'library'], check=True)
        script = root / 'msr-job'
        script.write_text(COMMAND.format(library=str(root / 'library'), root=str(root)))
        os.umask(0o022)
        samples = {'prolog': [], 'epilog': []}
        for number in range(ROUNDS + 1):
            for part, options in (('prolog', ['--profile=power']), ('epilog', [])):
                sample = run(script, root, part, *options)
                samples[part] += [sample] if number else []  # The first takes the baseline
        assert json.loads((root / 'var/lib/msr-safe/baseline').read_text())['cpus'] == f'0-{CPUS - 1}'
    print(f'{CPUS} CPUs, {REGISTERS} registers, {os.cpu_count()} cores here: medians of {ROUNDS}, in ms of CPU time')
    both = 0
    for part, rows in samples.items():
        total, imports, work = (statistics.median(column) for column in zip(*rows))
        both += total
        start = total - imports - work
        print(f'{part}: {total:.1f} (the start of Python {start:.1f}, imports {imports:.1f}, work {work:.1f})')
    print(f'both: {both:.1f} (at most {MOST})')
    return 0 if both <= MOST else 1


if __name__ == '__main__':
    sys.exit(main())
