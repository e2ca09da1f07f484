# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Measure the batch on the node `bench` of the running fleet, and write docs/results/bench-kernel.md.

The module of another revision takes turns with ours where one is named. usage:
fleet run --spec tests/kernel/bench/nodes.yml --state DIR -- python tests/kernel/bench/bench.py [ROUNDS] [REVISION]
"""

import collections
import datetime
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BUILD = ROOT / 'build/bench'
RESULTS = ROOT / 'docs/results/bench-kernel.md'
REMOTE = '/root/bench'

FIRST, REGISTERS = 0x1000, 400
PER_INTERRUPT = int(
    re.search(r'define MSR_SAFE_SLICE_OPERATIONS\s+(\d+)', (ROOT / 'files/kmod/cpu_calls.h').read_text()).group(1)
)
FLOOR = 'floor'
WAYS = (
    'batch',
    'batch, register by register',
    'batch, from another CPU',
    'pread on msr_safe',
    'pread on the stock msr',
    'rdmsr -a',
    FLOOR,
)
OURS = WAYS[:4]
MODULE = 'msr-safe.ko'

LOAD = f"""
cd {REMOTE}
lsmod | grep -q ^msr_safe && rmmod msr_safe
lsmod | grep -q ^floor && rmmod floor
set -e
modprobe msr
insmod {{}}
insmod floor.ko first={FIRST}
cat list >/dev/cpu/msr_approved_list
"""

TRACE = f"""
cd /sys/kernel/tracing
echo nop >current_tracer
echo 64 >buffer_size_kb
echo batch_ioctl >set_ftrace_filter
echo msr_safe_access_run >>set_ftrace_filter
echo carry_out_slice >>set_ftrace_filter
echo function_graph >current_tracer
for i in 1 2 3 4 5 6 7 8 9 10; do
    echo >trace
    {REMOTE}/client >/dev/null
    cat trace
done
echo nop >current_tracer
echo >set_ftrace_filter
"""


def run(*command):
    subprocess.run(command, check=True)


def on_node(script):
    command = ['ssh', '-F', os.environ['FLEET_SSH_CONFIG'], 'bench', script]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def compile_all(against):
    """Return what the node needs. against: the revision whose module is compiled, too, or ''."""
    headers = sorted(pathlib.Path('/usr/src').glob('linux-headers-*-cloud-amd64'))[-1]
    floor = BUILD / 'floor'
    floor.mkdir(parents=True, exist_ok=True)
    for name in ('floor.c', 'Kbuild'):
        (floor / name).write_text((HERE / name).read_text())
    run('make', '--silent', '-C', headers, f'M={floor}', 'W=1', 'KCFLAGS=-Werror', 'modules')
    modules = [compile_module(ROOT, BUILD / 'kmod', headers, MODULE)]
    if against:
        modules.append(compile_module(check_out(against), BUILD / 'kmod-against', headers, module_of(against)))
    flags = ('-O2', '-Wall', '-Wextra', '-Werror', '-static', f'-I{ROOT}/files/kmod/include/uapi')
    run('gcc', *flags, '-o', BUILD / 'client', HERE / 'client.c')
    approved_list = BUILD / 'list'
    approved_list.write_text(''.join(f'{FIRST + i:#010x} 0\n' for i in range(REGISTERS)))
    return [*modules, floor / 'floor.ko', BUILD / 'client', approved_list]


def module_of(revision):
    return f'msr-safe-{revision}.ko' if revision else MODULE


def check_out(revision):
    """Return a directory with what a revision of this repository compiles its module of."""
    tree = BUILD / 'against'
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    archive = ('git', '-C', ROOT, 'archive', revision, 'files', 'plugins/module_utils/version.py')
    subprocess.run(
        ('tar', '-xC', tree), input=subprocess.run(archive, check=True, capture_output=True).stdout, check=True
    )
    return tree


def compile_module(tree, out, headers, name):
    run('make', '--silent', '-C', tree / 'files/kmod', f'KDIR={headers}', f'OUT={out}')
    return shutil.copy(out / 'msr-safe.ko', BUILD / name)


def measure(rounds, against):
    """Return {(way, CPUs): [nanoseconds per operation, …]}; those of another revision's module name it."""
    measured = collections.defaultdict(list)
    for _round in range(rounds):
        for revision in [against, ''] if against else ['']:
            on_node(LOAD.format(module_of(revision)))
            for line in on_node(f'{REMOTE}/client 1').splitlines():
                way, cpus, nanoseconds = line.split('\t')
                if not revision or way in OURS:
                    measured[named(way, revision), int(cpus)].append(float(nanoseconds))
    return measured


def named(way, revision):
    return f'{way} ({revision})' if revision else way


def trace():
    """Return {function: [microseconds, …]} of each of its calls."""
    durations = collections.defaultdict(list)
    calls = {}
    for line in on_node(TRACE).splitlines():
        cpu_and_rest = re.match(r'\s*(\d+)\)', line)
        if not cpu_and_rest:
            continue
        cpu = cpu_and_rest.group(1)
        name = re.search(r'(batch_ioctl|msr_safe_access_run|carry_out_slice)', line)
        time = re.search(r'([\d.]+) us', line)
        stack = calls.setdefault(cpu, [])
        if '{' in line:
            stack.append(name.group(1))
        elif '}' in line and stack:
            function = stack.pop()
            if time:
                durations[function].append(float(time.group(1)))
        elif name and time:
            durations[name.group(1)].append(float(time.group(1)))
    return durations


def native():
    """Return the table of what access.c costs without emulation."""
    command = ['make', '--silent', '-C', str(HERE), 'native']
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def cell(values):
    if not values:
        return ''
    return f'{min(values):,.0f} / {statistics.median(values):,.0f}'


def table(*rows):
    """Return a Markdown table with its columns aligned."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ['| ' + ' | '.join(text.ljust(width) for text, width in zip(row, widths)) + ' |' for row in rows]
    lines.insert(1, '|' + '|'.join('-' * (width + 2) for width in widths) + '|')
    return '\n'.join(lines)


def costs(measured, against):
    counts = sorted({cpus for way, cpus in measured if way == 'batch'})
    rows = [['', *(f'{cpus} CPU{"s" * (cpus > 1)}' for cpus in counts)]]
    ways = [each for way in WAYS for each in (way, named(way, against)) if (each, 1) in measured or each in WAYS]
    rows += [[way, *(cell(measured.get((way, cpus))) for cpus in counts)] for way in dict.fromkeys(ways)]
    return table(*rows)


def targets(measured, durations):
    def best(way, cpus):
        return min(measured[way, cpus])

    flat = [best('batch', cpus) for cpus in (4, 16, 64)]
    spread = max(flat) / min(flat) - 1
    over_floor = best('batch', 1) / best(FLOOR, 1)
    faster = best('pread on the stock msr', 16) / best('batch', 16)
    calls = len(durations['carry_out_slice'])
    rounds = -(-REGISTERS // PER_INTERRUPT)
    expected = 10 * rounds * (1 + 64)
    return table(
        ['target', 'measured', ''],
        ['cost flat from 4 to 64 CPUs, within 10 %', f'{spread:.0%} apart', verdict(spread <= 0.10)],
        ['at most 1.5 times the floor, one CPU', f'{over_floor:.1f} times', verdict(over_floor <= 1.5)],
        ['50 times faster than pread on the stock driver, 16 CPUs', f'{faster:.0f} times', verdict(faster >= 50)],
        [
            f'at most {PER_INTERRUPT} operations an interrupt: {rounds} interrupts a CPU for {REGISTERS}',
            f'{calls / expected * rounds:.2f} interrupts',
            verdict(calls >= expected),
        ],
    )


def compared(measured, against):
    """Return the table of what our module costs where that of another revision costs 1, by medians."""
    counts = sorted({cpus for way, cpus in measured if way == named('batch', against)})
    rows = [[f'times {against}', *(f'{cpus} CPU{"s" * (cpus > 1)}' for cpus in counts)]]
    for way in OURS:
        pairs = [(measured.get((way, cpus)), measured.get((named(way, against), cpus))) for cpus in counts]
        rows.append([way, *(f'{ratio_of_medians(*pair):.2f}' if all(pair) else '' for pair in pairs)])
    return table(*rows)


def ratio_of_medians(ours, theirs):
    return statistics.median(ours) / statistics.median(theirs)


def verdict(met):
    return 'met' if met else 'not met'


def interrupts(durations):
    times = sorted(durations['carry_out_slice'])
    return table(
        ['interrupts', 'median', '99 %', 'longest'],
        [f'{len(times):,}', *(f'{times[int(part * (len(times) - 1))]:,.0f} us' for part in (0.5, 0.99, 1))],
    )


def profile(durations):
    """Where the fastest traced batch of one CPU spends its time."""
    whole = min(durations['batch_ioctl'])
    checked_and_run = min(durations['msr_safe_access_run'])
    interrupt = min(durations['carry_out_slice']) * -(-REGISTERS // PER_INTERRUPT)
    shares = (
        ('copy from and to the caller, memory', whole - checked_and_run),
        ('check, and sort by CPU', checked_and_run - interrupt),
        ('in the interrupts', interrupt),
    )
    rows = [[what, f'{time / REGISTERS * 1000:.0f} ns', f'{time / whole:.0%}'] for what, time in shares]
    return table(['one CPU, per operation', '', ''], *rows)


def main(rounds='', against=''):
    rounds = int(rounds or 5)
    command = f'make bench-kernel ROUNDS={rounds}' + (f' AGAINST={against}' if against else '')
    files = compile_all(against)
    on_node(f'mkdir -p {REMOTE}')
    run('scp', '-q', '-F', os.environ['FLEET_SSH_CONFIG'], *files, f'bench:{REMOTE}')
    measured = measure(rounds, against)
    durations = trace()

    parts = (
        '<!-- SPDX-License-Identifier: GPL-3.0-or-later -->',
        '# What the batch costs',
        f'{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, `{command}`, '
        f'kernel {on_node("uname -r").strip()}, {on_node("nproc").strip()} virtual CPUs (QEMU, TCG) on '
        f'{os.cpu_count()} real ones, load {os.getloadavg()[0]:.0f}. Nanoseconds per operation, least / median.',
        costs(measured, against),
        *([compared(measured, against)] if against else []),
        targets(measured, durations),
        'One CPU in one interrupt (ftrace, 64 CPUs, host disturbances included):',
        interrupts(durations),
        profile(durations),
        'access.c itself on the real CPU, per operation, without registers, interrupts and system call:',
        native(),
    )
    text = '\n\n'.join(parts) + '\n'
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    print(text)


main(*sys.argv[1:])
