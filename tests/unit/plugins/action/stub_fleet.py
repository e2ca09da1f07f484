# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A fleet of stubs: hosts by the local connection, with a shell script for a Python that prints the same result always.

Ansible and what runs on the controller are real, nodes are not.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pathlib
import subprocess

from ansible.parsing.dataloader import DataLoader
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import files
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.observation import CONFIGURED
from ansible_collections.hpc.msr_safe.plugins.plugin_utils import wanted
from ansible_collections.hpc.msr_safe.plugins.plugin_utils.wanted import plan, wanted_settings

KERNEL = '6.1.0-18-amd64'
COLLECTIONS = pathlib.Path(os.path.abspath(wanted.__file__)).parents[5]


def observations():
    """Return (what is observed on a fresh node, and on one that is as the role's defaults want it)."""
    settings = dict(wanted_settings({}, DataLoader()), policy=None)
    fresh = {
        'running': True,
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
        'kernels': [],
        'signed_modules_only': None,
        'jobs': [],
        'deferred': [],
        'module': {'loaded': None, 'installed': None, 'supplied': None, 'resolved': None, 'built': None, 'holders': []},
        'access': None,
        'devices': {name: {'major': None, 'access': {}} for name in settings['modes']},
        'majors_taken': {'1': 'mem', '4': 'tty', '5': 'ttyprintk', '10': 'misc', '13': 'input', '188': 'ttyUSB'},
        'approved_list': None,
        'installed_list': None,
        'lists': {},
        'files': dict.fromkeys(CONFIGURED),
        'group_exists': False,
        'group_at_boot': None,
        'commands_digest': '',
        'service_enabled': False,
        'nmi_watchdog': None,
        'policy': None,
        'permissions': {},
        'links': {},
        'read_only': [],
        'shadows': [],
        'packages': {},
        'dkms': {'program': False, 'sources': {}, 'builds': {}},
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
            'supplied': None,
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
            **fresh['files'],
            files.MODPROBE: files.modprobe_text(settings['majors']).strip(),
            files.UDEV: files.udev_text('msr', settings['modes']).strip(),
            files.UNIT: files.unit_text().strip(),
            files.HOOKS['apt-get']: files.hook_text().strip(),
        },
        group_exists=True,
        group_at_boot='of the system',
        commands_digest=wanted['commands_digest'],
        service_enabled=True,
    )
    changes, _wanted, _warnings = plan(converged, settings)
    assert not changes, changes
    return fresh, converged


def write_stub(directory, name, answer):
    """Write the script that stands for Python on a host; return its path. It notes each execution in NAME.runs."""
    (directory / (name + '.json')).write_text(json.dumps(answer) + '\n')
    script = directory / (name + '.sh')
    script.write_text('#!/bin/sh\ncat >/dev/null\necho x >>{0}.runs\nexec cat {0}.json\n'.format(directory / name))
    script.chmod(0o755)
    return script


def run_playbook(directory, *arguments, **environment):
    """Run ansible-playbook on the hosts that the directory has in ``hosts``; return the process, with what it said."""
    return subprocess.run(
        ['ansible-playbook', '-i', 'hosts', *arguments],
        cwd=str(directory),
        env=dict(
            os.environ,
            ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
            ANSIBLE_PIPELINING='1',
            ANSIBLE_LOCAL_TEMP=str(directory / 'tmp'),
            **environment,
        ),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        universal_newlines=True,
    )


def run_with_summary(directory, *arguments, **environment):
    """The same with our callback; return (its summary, or None where it wrote none; the process)."""
    written = directory / 'summary.json'
    callback = {'ANSIBLE_CALLBACKS_ENABLED': 'hpc.msr_safe.summary', 'MSR_SAFE_SUMMARY': str(written)}
    process = run_playbook(directory, *arguments, **callback, **environment)
    return json.loads(written.read_text()) if written.exists() else None, process
