# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a scenario, and Ansible as their administrator runs it."""

import base64
import json
import os
import subprocess

import pytest

# Each file leaves the nodes as the next one expects them.
ORDER = ('test_converged', 'test_prediction', 'test_save_and_restore', 'test_refusals', 'test_reboot', 'test_removal')

SLOW = 'slow: not with MSR_SAFE_BRIEF=1'


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: for the whole run of a scenario; CI, which is brief, leaves it out')


def pytest_collection_modifyitems(items):
    if os.environ.get('MSR_SAFE_BRIEF') == '1':
        for item in items:
            if item.get_closest_marker('slow'):
                item.add_marker(pytest.mark.skip(reason=SLOW))
    items.sort(key=lambda item: ORDER.index(item.path.stem) if item.path.stem in ORDER else len(ORDER))


class Result:
    """What one run of Ansible did and said."""

    def __init__(self, process):
        self.succeeded = process.returncode == 0
        self.output = process.stdout

    def changed(self, node):
        """Return the number of changed tasks that the recap gives for a node."""
        recap = self.output.partition('PLAY RECAP')[2]
        line = next(line for line in recap.splitlines() if line.split(':')[0].strip() == node)
        return int(line.partition('changed=')[2].split()[0])


@pytest.fixture(scope='session')
def inventory(request):
    return request.config.getoption('--ansible-inventory')


@pytest.fixture
def node(host):
    """The name of the node under test."""
    return host.backend.host.name


def run(command):
    process = subprocess.run(
        command,
        env=dict(os.environ, ANSIBLE_NOCOLOR='1', ANSIBLE_FORCE_COLOR='0', ANSIBLE_CALLBACK_RESULT_FORMAT='json'),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Result(process)


@pytest.fixture
def playbook(request, inventory, node):
    """Run a playbook of the collection on the node, with the scenario's settings and more variables."""
    scenario = request.path.parent.parent

    def run_playbook(name, *arguments, **variables):
        settings = ['-e', f'@{scenario}/settings.yml', '-e', json.dumps(variables)]
        return run(['ansible-playbook', f'hpc.msr_safe.{name}', '-i', inventory, '-l', node, *settings, *arguments])

    return run_playbook


@pytest.fixture
def play(inventory, node):
    """Run a playbook, a file, on the node."""
    return lambda path, *arguments: run(['ansible-playbook', str(path), '-i', inventory, '-l', node, *arguments])


@pytest.fixture
def module(inventory, node):
    """Run a module of the collection on the node, ad hoc."""

    def run_module(name, *arguments, **options):
        given = ['-a', json.dumps(options)] if options else []
        return run(['ansible', node, '-i', inventory, '-m', f'hpc.msr_safe.{name}', *given, *arguments])

    return run_module


@pytest.fixture
def turbo_off(host):
    """Be a job: as a member of the group, turn turbo off on a CPU through its device."""

    def set_turbo_off(cpu):
        host.run_expect([0], 'usermod --append --groups msr user')
        script = (
            'import os, struct; '
            f"device = os.open('/dev/cpu/{cpu}/msr_safe', os.O_RDWR); "
            "old = struct.unpack('<Q', os.pread(device, 8, 0x1A0))[0]; "
            "os.pwrite(device, struct.pack('<Q', old | 1 << 38), 0x1A0)"
        )
        host.run_expect([0], f'sudo -u user python3 -c "{script}"')

    return set_turbo_off


@pytest.fixture
def edit(host):
    """Write a changed copy of a JSON file on the node."""

    def write_edited(source, target, change):
        content = json.loads(host.file(source).content_string)
        change(content)
        encoded = base64.b64encode(json.dumps(content).encode()).decode()
        host.run_expect([0], f'echo {encoded} | base64 --decode > {target}')

    return write_edited
