# SPDX-License-Identifier: GPL-3.0-or-later
"""How long an audit of a large fleet takes on the controller, and what of memory; writes docs/results/audit.md.

audit.py                     measure, and write the page
audit.py --one OBSERVATIONS  read, compare and render what a file holds, a node a line, and say what it took
"""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'results' / 'audit.md'
SIZES = (500, 1000, 5000)
MOST_SECONDS, MOST_MIB, MOST_PAGE = 30, 1024, 5_000_000
KINDS = ('12 planted deviations', 'every node different')


def write_observations(path, size, unlike):
    """Write what the module would return of each node; unlike: give each node a value that no other has."""
    import audit_fleet

    with path.open('w') as stream:
        for number, (name, observation, failure, equal) in enumerate(audit_fleet.observations(size)):
            if unlike and observation and observation['registers']:
                observation['registers']['0x00030000'] = [{f'0x{number:016x}': '0-127'}, {}]
            result = {'observation': observation, 'equal': equal}
            if failure:
                result = {'unreachable': True, 'msg': failure['message']}
            stream.write(json.dumps([name, result]) + '\n')


def measure(path):
    """Read, compare and render; return what it took."""
    from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
    from ansible_collections.hpc.msr_safe.plugins.plugin_utils.audit import audit, record

    started = time.perf_counter()
    with open(path) as stream:
        run = record(dict(map(json.loads, stream)), '2026-11-27T06:00:00Z')
    read = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        settings = {'directory': directory, 'title': 'Audit', 'baseline': None, 'keep': 1, 'keep_days': 0}
        comparison, _run, files = audit(Machine(), run, settings)
        ended = time.perf_counter()
        size = pathlib.Path(files['page']).stat().st_size
        kept = pathlib.Path(files['run']).stat().st_size
    return {
        'read': read - started,
        'rest': ended - read,
        'mib': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        'page': size,
        'kept': kept,
        'findings': len(comparison.findings),
        'counts': comparison.counts,
    }


def measure_apart(size, unlike):
    """Return what measure returns, from a process of its own, whose memory is only that."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / 'observations'
        write_observations(path, size, unlike)
        answer = subprocess.check_output([sys.executable, __file__, '--one', str(path)])
    return json.loads(answer)


def main():
    sys.path.insert(0, str(ROOT / 'tests' / 'bench'))
    if sys.argv[1:2] == ['--one']:
        print(json.dumps(measure(sys.argv[2])))
        return 0
    rows, problems = [], []
    for kind in KINDS:
        for size in SIZES:
            took = measure_apart(size, unlike=kind == KINDS[1])
            seconds = took['read'] + took['rest']
            rows.append(
                f'| {size:,} | {kind} | {took["read"]:.1f} | {took["rest"]:.1f} | **{seconds:.1f}** '
                f'| {took["mib"]:.0f} | {took["page"] / 1e6:.2f} | {took["kept"] / 1e6:.2f} | {took["findings"]} |'
            )
            print(rows[-1], flush=True)
            if seconds > MOST_SECONDS or took['mib'] > MOST_MIB or took['page'] > MOST_PAGE:
                problems.append(rows[-1])
    PAGE.write_text(TEXT.format(date=time.strftime('%Y-%m-%d', time.gmtime()), rows='\n'.join(rows)))
    return 'Too slow, or too large:\n' + '\n'.join(problems) if problems else 0


TEXT = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
# How large a fleet an audit takes

`make bench-audit`, {date}, on a shared machine with 2 cores: nodes that exist on paper, with 128 CPUs and 100
registers, in 4 groups. Read from JSON as the module returns it, compared, and written: run, page, results for other
programs. The limits are 30 s, 1 GiB and a page of 5 MB.

| nodes | | read, s | compared and written, s | together, s | peak MiB | page, MB | run kept, MB | findings |
|---|---|---|---|---|---|---|---|---|
{rows}

Equal nodes are compared once, so what counts is how many are unlike each other. The lower half is the worst case, in
which each node has a value that no other has.
"""

if __name__ == '__main__':
    sys.exit(main())
