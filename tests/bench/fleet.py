# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role costs the controller, in seconds of its CPU, against ping: hosts are stubs that answer at once.

usage: fleet.py [HOSTS…]   (default: 20 60 120, and the result on docs/results/fleet.md)

Each stub is this machine by the local connection, with a shell script in the place of Python that prints a result:
what a node costs is left out, what Ansible and the role cost stays.
"""

import base64
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / 'build' / 'bench-fleet'
PAGE = ROOT / 'docs' / 'results' / 'fleet.md'
# Of a converged role, in times a ping: what is aimed at, and what is a fault; of its results, bytes a host
GOAL, COST, RESULT = 1.6, 2.0, 4000
FORKS = 20

HEADING = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by `make bench-fleet` -->
# What a fleet costs the controller

Seconds of the controller's CPU (user and system, of Ansible and all its workers) for a play, with stub hosts that
answer at once, {forks} forks, strategy linear, {date}, ansible-core {version}. The machine was shared with others, so
compare columns. *Converged*: `hpc.msr_safe.site` on hosts that are as wanted. *First*: on hosts that have nothing, with
a builder. *ping*: a play of `ansible.builtin.ping`.

| hosts | ping | converged | times ping | first |
|---|---|---|---|---|
"""

PLAY = """\
- hosts: all
  gather_facts: false
  {what}
"""


def collections():
    """Return a directory where Ansible finds this collection."""
    parent = BUILD / 'collections' / 'ansible_collections' / 'hpc'
    parent.mkdir(parents=True, exist_ok=True)
    link = parent / 'msr_safe'
    if link.is_symlink():
        link.unlink()
    link.symlink_to(ROOT)
    return parent.parents[1]


def inventory(hosts):
    path = BUILD / ('hosts-%d' % hosts)
    path.write_text(''.join('n%03d ansible_connection=local\n' % number for number in range(1, hosts + 1)))
    return path


def cost(play, hosts, interpreter, *variables):
    """Return seconds of CPU of a play on stub hosts."""
    environment = {
        **os.environ,
        'ANSIBLE_COLLECTIONS_PATH': str(BUILD / 'collections'),
        'ANSIBLE_PIPELINING': '1',
        'ANSIBLE_LOCALHOST_WARNING': '0',
        'ANSIBLE_FORKS': str(FORKS),
        'ANSIBLE_DISPLAY_SKIPPED_HOSTS': '0',
        'ANSIBLE_CALLBACK_RESULT_FORMAT': 'yaml',
    }
    settings = {'ansible_python_interpreter': str(interpreter), 'ansible_become': False, **dict(variables)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run(
        ['ansible-playbook', play, '-i', inventory(hosts), '-e', json.dumps(settings)],
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    (BUILD / 'last.log').write_text(process.stdout)
    if process.returncode:
        sys.exit(process.stdout[-3000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def slope(points):
    """Return seconds a host, of {hosts: seconds}, by least squares."""
    mean_x, mean_y = sum(points) / len(points), sum(points.values()) / len(points)
    above = sum((x - mean_x) * (y - mean_y) for x, y in points.items())
    return above / sum((x - mean_x) ** 2 for x in points)


def result_size():
    """Return the bytes that Ansible keeps for a converged host: the registered result of its plan."""
    play = BUILD / 'size.yml'
    show = "  post_tasks: [{ansible.builtin.debug: {msg: 'SIZE {{ msr_safe_plan | to_json | length }} END'}}]\n"
    play.write_text(PLAY.format(what='roles: [hpc.msr_safe.msr_safe]') + show)
    cost(play, 1, BUILD / 'converged.sh')
    return int((BUILD / 'last.log').read_text().partition('SIZE ')[2].split()[0])


def main():
    counts = [int(word) for word in sys.argv[1:]] or [20, 60, 120]
    BUILD.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(collections()))
    from ansible_collections.hpc.msr_safe.tests.unit.plugins.action.stub_fleet import observations, write_stub

    fresh, converged = observations()
    rollout = {'msr_safe': fresh, 'done': ['x'], 'deferred': [], 'observed': converged, 'changed': True}
    stubs = {
        'ping': write_stub(BUILD, 'ping', {'ping': 'pong', 'changed': False}),
        'converged': write_stub(BUILD, 'converged', {'msr_safe': converged, 'changed': False}),
        'first': write_stub(BUILD, 'first', {**rollout, 'module': base64.b64encode(b'a module').decode()}),
    }
    plays = {'ping': BUILD / 'ping.yml', 'converged': 'hpc.msr_safe.site', 'first': 'hpc.msr_safe.site'}
    plays['ping'].write_text(PLAY.format(what='tasks: [{ansible.builtin.ping: }]'))
    builder = {
        'msr_safe_builder': 'n001',
        'msr_safe_builder_become': False,
        'msr_safe_build_directory': str(BUILD / 'builder'),
        'msr_safe_artifacts': str(BUILD / 'artifacts'),
    }
    seconds = {name: {} for name in stubs}
    for hosts in counts:
        for name in stubs:
            variables = builder.items() if name == 'first' else ()
            seconds[name][hosts] = cost(plays[name], hosts, stubs[name], *variables)
            print(f'{hosts} hosts, {name}: {seconds[name][hosts]:.1f} s', flush=True)
    size = result_size()
    report(counts, seconds, size)


def report(counts, seconds, size):
    version = subprocess.check_output(['ansible', '--version'], text=True).split()[2].strip(']')
    text = HEADING.format(forks=FORKS, date=time.strftime('%F'), version=version)
    rows = [(str(hosts), {name: times[hosts] for name, times in seconds.items()}, '%.1f s') for hosts in counts]
    if len(counts) > 1:
        rows.append(('a host more', {name: slope(times) for name, times in seconds.items()}, '%.3f s'))
    ratios = {}
    for label, times, spelled in rows:
        ratios[label] = times['converged'] / times['ping']
        cells = [label, *(spelled % times[name] for name in ('ping', 'converged')), '%.2f' % ratios[label]]
        text += '| %s |\n' % ' | '.join([*cells, spelled % times['first']])
    text += f'\nThe result that Ansible keeps of a converged host: {size} bytes (at most {RESULT} are allowed).\n'
    ratio = ratios[str(counts[-1])]
    text += f'Aimed at are {GOAL} times a ping for the most hosts, '
    text += f'{"met" if ratio <= GOAL else "missed"} with {ratio:.2f}; more than {COST} is a fault.\n'
    text += 'ansible-core before 2.18 cannot leave a role: it skips a second task, and forks for that.\n'
    print(text)
    if len(sys.argv) == 1:
        PAGE.write_text(text)
    if ratio > COST or size > RESULT:
        sys.exit('missed: %.2f times a ping, %d bytes' % (ratio, size))


if __name__ == '__main__':
    main()
