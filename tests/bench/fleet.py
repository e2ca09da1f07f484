# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role costs the controller, in seconds of its CPU, against ping: hosts are stubs that answer at once.

usage: fleet.py [HOSTS…]   (default: 20 60 120, and the result on docs/results/fleet.md)

Each stub is this machine by the local connection, with a shell script in the place of Python that prints a result:
what a node costs is left out, what Ansible and the role cost stays.
"""

import base64
import copy
import hashlib
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
# Of a converged role, in a module task of its own; of its results, in bytes a host
COST, RESULT = 1.6, 4000
FORKS = 20
KERNEL = '6.1.0-18-amd64'

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


def observations():
    """Return (what is observed on a fresh node, and on one that is as the role's defaults want it)."""
    sys.path.insert(0, str(collections()))
    from ansible.parsing.dataloader import DataLoader
    from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import files
    from ansible_collections.hpc.msr_safe.plugins.plugin_utils.wanted import plan, wanted_settings

    settings = wanted_settings({}, DataLoader())
    fresh = {
        'kernel_release': KERNEL,
        'running_kernel': KERNEL,
        'cpu': {
            'vendor': 'GenuineIntel',
            'family': 6,
            'model': 85,
            'stepping': 4,
            'microcode': '0x1',
            'online': '0-63',
        },
        'build': {'headers': '/h', 'headers_package': None, 'package_manager': 'apt-get', 'missing_packages': []},
        'vermagic': KERNEL + ' SMP preempt mod_unload modversions',
        'modules_disabled': False,
        'signed_modules_only': None,
        'jobs': [],
        'module': {'loaded': None, 'installed': None, 'resolved': None, 'built': None, 'holders': []},
        'access': None,
        'devices': {name: {'major': None, 'access': {}} for name in settings['modes']},
        'majors_taken': {'1': 'mem', '4': 'tty', '5': 'ttyprintk', '10': 'misc', '13': 'input', '188': 'ttyUSB'},
        'approved_list': None,
        'installed_list': None,
        'files': {files.MODPROBE: None, files.UDEV: None, files.UNIT: None},
        'group_exists': False,
        'commands_digest': '',
        'service_enabled': False,
        'permissions': {},
        'links': {},
        'others': [],
        'traces': {'service': False, 'kernel_releases': [], 'paths': [], 'groups': [], 'slurm': False},
    }
    _changes, wanted, _warnings = plan(fresh, settings)
    module = {
        'version': wanted['version'],
        'srcversion': 'S',
        'source_digest': wanted['source_digest'],
        'vermagic': fresh['vermagic'],
        'signed': False,
        'path': '/lib/modules/%s/updates/msr-safe.ko' % KERNEL,
    }
    converged = copy.deepcopy(fresh)
    converged.update(
        module={
            'loaded': {'version': wanted['version'], 'srcversion': 'S', 'users': 0, 'majors': settings['majors']},
            'installed': module,
            'resolved': module['path'],
            'built': module,
            'holders': [],
        },
        devices={
            name: {'major': 240, 'access': {'%s root:msr' % mode: '0-63' if name == 'msr_safe' else ''}}
            for name, mode in settings['modes'].items()
        },
        approved_list={'device': '/d', 'sha256': wanted['approved_list']['sha256'], 'registers': 321, 'writable': 270},
        installed_list={'sha256': hashlib.sha256(wanted['approved_list']['file_text'].encode()).hexdigest()},
        files={
            files.MODPROBE: files.modprobe_text(settings['majors']).strip(),
            files.UDEV: files.udev_text('msr', settings['modes']).strip(),
            files.UNIT: files.unit_text().strip(),
        },
        group_exists=True,
        commands_digest=wanted['commands_digest'],
        service_enabled=True,
    )
    changes, _wanted, _warnings = plan(converged, settings)
    assert not changes, changes
    return fresh, converged


def stub(name, answer):
    """Write the script that stands for Python on a host and always gives the same answer; return its path."""
    (BUILD / (name + '.json')).write_text(json.dumps(answer) + '\n')
    script = BUILD / (name + '.sh')
    script.write_text(f'#!/bin/sh\ncat >/dev/null\nexec cat {BUILD / name}.json\n')
    script.chmod(0o755)
    return script


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
    fresh, converged = observations()
    rollout = {'msr_safe': fresh, 'done': ['x'], 'deferred': [], 'observed': converged, 'changed': True}
    stubs = {
        'ping': stub('ping', {'ping': 'pong', 'changed': False}),
        'converged': stub('converged', {'msr_safe': converged, 'changed': False}),
        'first': stub('first', {**rollout, 'module': base64.b64encode(b'a module').decode()}),
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
    text += f'The most hosts, converged, may cost {COST} times a ping.\n'
    print(text)
    if len(sys.argv) == 1:
        PAGE.write_text(text)
    ratio = ratios[str(counts[-1])]
    if ratio > COST or size > RESULT:
        sys.exit('missed: %.2f times a ping, %d bytes' % (ratio, size))


if __name__ == '__main__':
    main()
